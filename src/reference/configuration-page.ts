import { authConcern } from '../config/auth.config.js';
import { backupConcern } from '../config/backup.config.js';
import type { VariableDoc } from '../config/concern.js';
import { databaseConcern } from '../config/database.config.js';
import { ENVIRONMENTS } from '../config/environment.js';
import { serviceConcern } from '../config/service.config.js';
import { storeConcern } from '../config/store.config.js';
import { code, codeBlock, GENERATED, plainText, table } from './markdown.js';
import { variableGroups } from './variables.js';

/** The smallest environment of each kind of store; tests start from them. */
export const SMALLEST = {
  folder: ['R2_SYNC_ENABLED=false'],
  r2: [
    'R2_SYNC_ENABLED=true',
    'R2_ACCOUNT_ID=your-cloudflare-account-id',
    'R2_ACCESS_KEY_ID=your-r2-access-key-id',
    'R2_SECRET_ACCESS_KEY=your-r2-secret-access-key',
  ],
  s3: [
    'R2_SYNC_ENABLED=true',
    'R2_ENDPOINT=https://s3.eu-central-1.amazonaws.com',
    'R2_REGION=eu-central-1',
    'R2_BUCKET_NAME=your-bucket',
    'R2_ACCESS_KEY_ID=your-access-key-id',
    'R2_SECRET_ACCESS_KEY=your-secret-access-key',
  ],
} as const;

const INTRODUCTION = `# Configuration

${GENERATED}

Eider is configured by environment variables. At the start it also reads \`.env\` in the folder that it is started in
(\`.env.example\` has every variable); a variable that the environment sets already wins over that file, even where it is set
to nothing. Space around a value is removed, and an empty value counts as unset: the default holds.

A wrong value ends the start with exit status 1, before anything is opened, and with one line per problem, each beginning
with the variable. \`npx eider config check\` does the same without a start and, where all is well, prints what is in force and where
it comes from; its exit status is 2 when a variable is wrong. Variables marked as secret are never printed, logged or
returned: not by \`config check\`, not in an error, not in a health report.`;

/** The text of `docs/configuration.md`. */
export function configurationPage(): string {
  return `${[INTRODUCTION, smallest(), environments(), adminKeys(), ...groups()].join('\n\n')}\n`;
}

function smallest(): string {
  return [
    '## The smallest configurations',
    'A folder, which is what a start without any variable uses: the database is `./data/hesocial.duckdb`, backups are kept in `./data/repository`. Put `BACKUP_LOCAL_DIR` on another disk: a copy on the same one does not outlive it.',
    codeBlock('sh', SMALLEST.folder),
    'Cloudflare R2, with a token that has Object Read & Write on the bucket. The endpoint is built from the account; a bucket in a jurisdiction needs `R2_JURISDICTION`, too.',
    codeBlock('sh', SMALLEST.r2),
    'Any other S3-compatible store. Buckets are addressed by path (`endpoint/bucket/key`), and requests are signed for `R2_REGION`.',
    codeBlock('sh', SMALLEST.s3),
    '`npx eider doctor` tries everything that Eider needs of the store.',
  ].join('\n\n');
}

function environments(): string {
  const rows = ENVIRONMENTS.map((environment) => {
    const env = {
      NODE_ENV: environment,
      ...Object.fromEntries(SMALLEST.r2.map((line) => line.split('=') as [string, string])),
    };
    const store = storeConcern.parse(env);
    const yes = (value: boolean): string => (value ? 'yes' : 'no');
    return [
      code(environment),
      code(store.kind === 'bucket' ? store.bucket : ''),
      code(`${backupConcern.parse(env).stem}.duckdb`),
      yes(databaseConcern.parse(env).seed),
      yes(serviceConcern.parse(env).openApi),
      yes(authConcern.parse(env).generateKey),
    ];
  });
  return [
    '## Environments',
    '`NODE_ENV` names the environment, and these defaults follow from it:',
    table(
      ['NODE_ENV', 'R2_BUCKET_NAME', 'R2_DATABASE_KEY', 'sample data', 'API documentation', 'generated admin key'],
      rows,
    ),
    "The repository records the environment that it was made in, and a service of another environment refuses to write there (`REPOSITORY_ENVIRONMENT_MISMATCH`): a developer's machine can never overwrite production. Two environments therefore cannot share a bucket and a `R2_BACKUP_PATH`; give `staging` and `test` a bucket of their own.",
  ].join('\n\n');
}

function adminKeys(): string {
  return [
    '## Keys of the admin API',
    'Eider knows only the SHA-256 of a key. To make one, and its entry of `ADMIN_API_KEYS`:',
    codeBlock('sh', [
      'key=$(openssl rand -hex 32)',
      'echo "send: Authorization: Bearer $key"',
      'echo "ADMIN_API_KEYS=ops:operator:$(printf %s "$key" | sha256sum | cut -d \' \' -f 1)"',
    ]),
    'A `viewer` sees backups and details of health, an `operator` also takes and verifies backups, an `admin` also deletes, downloads and restores.',
  ].join('\n\n');
}

function groups(): string[] {
  return variableGroups().map(({ name, about, variables }) =>
    [
      `## Variables: ${name}`,
      plainText(about),
      table(
        ['variable', 'value', 'default', 'meaning'],
        variables.map(([variable, doc]) => [code(variable), plainText(doc.unit), defaultOf(doc), meaningOf(doc)]),
      ),
    ].join('\n\n'),
  );
}

/** A value as code; a default that is told in words as it is. */
function defaultOf({ default: fallback, example }: VariableDoc): string {
  return fallback === 'unset' || example !== undefined ? plainText(fallback) : code(fallback);
}

function meaningOf({ about, secret }: VariableDoc): string {
  return `${plainText(about)}${secret === true ? ' Secret.' : ''}`;
}
