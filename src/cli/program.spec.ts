import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_FOLDER } from '../runtime/application.js';
import { EXIT_STATUS } from './exit-status.js';
import { createProgram } from './program.js';

const page = readFileSync(join(PACKAGE_FOLDER, 'docs', 'cli.md'), 'utf8');

/** Commands without those below them, each with its whole name. */
function commandsOf(command: Command, prefix = ''): { name: string; command: Command }[] {
  return command.commands.flatMap((below) => {
    const name = `${prefix}${below.name()}`;
    return below.commands.length > 0 ? commandsOf(below, `${name} `) : [{ name, command: below }];
  });
}

/** The part of the page that describes a command. */
function sectionOf(name: string): string {
  const [, section = ''] = page.split(`\n### \`eider ${name}`);
  return section.split('\n### ')[0] ?? '';
}

describe('docs/cli.md', () => {
  it.each(commandsOf(createProgram()))('describes `eider $name` and each of its options', ({ name, command }) => {
    const section = sectionOf(name);
    expect(section).not.toBe('');
    for (const option of command.options) expect(section).toContain(`\`${option.flags}\``);
  });

  it('describes no command that does not exist', () => {
    const described = [...page.matchAll(/^### `eider ([a-z ]+[a-z])/gm)].map(([, name]) => name);
    expect(described).toEqual(commandsOf(createProgram()).map(({ name }) => name));
  });

  it('explains every exit status, and no other', () => {
    const explained = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, status]) => Number(status));
    expect(explained).toEqual(Object.values(EXIT_STATUS).toSorted((a, b) => a - b));
  });
});
