#!/usr/bin/env node
// Breaks the code on purpose, one small change at a time, and runs the tests that must notice it:
//
//   npm run test:mutations [-- <part of a name>]
//
// Works in a copy below the temporary folder, so that the working tree stays as it is. Ends with 1 where a change goes
// unnoticed, cannot be made any more, or where the tests fail without it.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MUTATIONS } from './mutations.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const wanted = MUTATIONS.filter(({ name }) => name.includes(process.argv[2] ?? ''));
if (wanted.length === 0) {
  console.error(`no change is called *${process.argv[2] ?? ''}*`);
  process.exit(1);
}
const copy = mkdtempSync(join(tmpdir(), 'eider-mutations-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));

const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
for (const file of listed.toString().split('\0').filter(Boolean)) cpSync(join(root, file), join(copy, file));
const nestCli = JSON.parse(readFileSync(join(copy, 'nest-cli.json'), 'utf8'));
nestCli.compilerOptions.typeCheck = false;
writeFileSync(join(copy, 'nest-cli.json'), JSON.stringify(nestCli));
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));

const failures = [];

/** Worker threads and child processes run what is built; types are not what is on trial. */
function build() {
  const nest = join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  const env = { ...process.env, CI: 'true' };
  execFileSync(process.execPath, [nest, 'build'], { cwd: copy, env, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** @returns how many tests failed; throws where they could not be run at all */
function run([project, path]) {
  const report = join(copy, 'report.json');
  const jest = join('node_modules', 'jest', 'bin', 'jest.js');
  const options = ['--selectProjects', project, '--runTestsByPath', path, '--json', `--outputFile=${report}`];
  spawnSync(process.execPath, ['--experimental-vm-modules', '--no-warnings', jest, ...options], {
    cwd: copy,
    stdio: 'ignore',
  });
  const { numFailedTests, numPassedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(report);
  if (numRuntimeErrorTestSuites > 0 || numFailedTests + numPassedTests === 0) throw new Error(`${path} cannot be run`);
  return numFailedTests;
}

function tell(isGood, name, what) {
  console.log(`${isGood ? 'ok    ' : 'FAILED'} ${name}: ${what}`);
  if (!isGood) failures.push(name);
}

build();
for (const path of new Set(wanted.map(({ spec }) => spec.join(' ')))) {
  const failed = run(path.split(' '));
  tell(failed === 0, 'unchanged', `${path}: ${failed} tests fail`);
}
for (const { name, file, from, to, spec, tries = 1 } of wanted) {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  const changed = source.replace(from, to);
  if (changed === source) {
    tell(false, name, `the change no longer fits ${file}`);
    continue;
  }
  writeFileSync(path, changed);
  build();
  let failed = 0;
  for (let attempt = 1; attempt <= tries && failed === 0; attempt++) failed = run(spec);
  tell(failed > 0, name, failed > 0 ? `noticed by ${failed} tests of ${spec[1]}` : `goes unnoticed by ${spec[1]}`);
  writeFileSync(path, source);
}
console.log(`${wanted.length} changes, ${failures.length} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;
