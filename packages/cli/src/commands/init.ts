import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

import { checkProject, loadCatalog } from '@caloron/scheduler';
import type { ProjectConfig } from '@caloron/types';
import { Command } from 'commander';

import { compositionPath } from '../composition.ts';
import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { checkForgeWords } from '../forge-words.ts';
import type { Io } from '../output.ts';
import { PRODUCT_ROOT } from '../product.ts';
import { writeStages } from '../stages.ts';

interface Options {
  readonly repo: string;
  readonly host?: string;
  readonly tokenEnv?: string;
  readonly reviewerTokenEnv?: string;
  readonly framework?: string;
  readonly verify?: readonly string[];
  readonly force?: boolean;
}

/** `caloron init`: writes caloron.json, scheduler.json and the stage store. */
export function initCommand(io: Io): Command {
  const command = new Command('init')
    .description('write caloron.json, scheduler.json and the stage store for a repository')
    .requiredOption('--repo <owner/name>', 'the repository to work on')
    .option('--host <url>', 'API address of the forge (default: github.com)')
    .option('--token-env <name>', 'variable that holds the agents’ token')
    .option('--reviewer-token-env <name>', 'variable that holds the reviewers’ token')
    .option('--framework <name>', 'what agents run')
    .option(
      '--verify <argv...>',
      'command that must exit 0 before a change is approved; in quotes when it has options',
    )
    .option('--force', 'replace files that exist')
    .action((options: Options) =>
      runCommand(command, io, async ({ home, home_flag }) => {
        checkForgeWords(options);
        const config = projectConfig(options);
        const scheduler_file = join(home.dir, 'scheduler.json');
        const files = [
          [home.project_file, { $schema: schemaAddress(home.dir, 'caloron'), ...config }],
          [scheduler_file, schedulerConfig(home.dir)],
        ] as const;
        for (const [path] of files) {
          if (existsSync(path) && options.force !== true)
            throw new CliError(
              'CLI_FILE_EXISTS',
              { path },
              { hint: 'edit it, or replace both files: ./caloron init … --force' },
            );
        }
        mkdirSync(join(home.dir, '.caloron'), { recursive: true });
        for (const [path, value] of files) writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
        const store = join(home.dir, '.noether', 'store.json');
        const stages = await writeStages(store, loadCatalog());
        const written = [...files.map(([path]) => path), store];
        return {
          data: { written, stages: stages.length, config },
          text: [
            ...written.map((path) => `wrote ${relative(process.cwd(), path) || path}`),
            '',
            'Next:',
            ...[config.token_env, config.reviewer_token_env].flatMap((name) =>
              name === null ? [] : [`  export ${name}=…`],
            ),
            `  ./caloron up${home_flag}`,
            `  ./caloron kickoff "- [first-task] What to do" --repo ${options.repo}${home_flag}`,
          ].join('\n'),
        };
      }),
    );
  return command;
}

/** A command given as one quoted text is split at its spaces. */
function words(argv: readonly string[]): readonly string[] {
  const [only = ''] = argv;
  return argv.length === 1 ? only.trim().split(/\s+/) : argv;
}

function projectConfig(options: Options): ProjectConfig {
  const { config, problems } = checkProject({
    repo: options.repo,
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.tokenEnv === undefined ? {} : { token_env: options.tokenEnv }),
    ...(options.reviewerTokenEnv === undefined ? {} : { reviewer_token_env: options.reviewerTokenEnv }),
    ...(options.framework === undefined ? {} : { framework: options.framework }),
    ...(options.verify === undefined ? {} : { verify: [words(options.verify)] }),
  });
  if (config !== undefined) return config;
  throw new CliError('CLI_USAGE', { problem: problems.join('; ') }, { hint: './caloron init --help' });
}

/** Where editors find the schema of a file of a home, with no network: a path from there where the product lies below, else the file's address. */
function schemaAddress(dir: string, name: string): string {
  const path = join(PRODUCT_ROOT, 'schemas', `${name}.schema.json`);
  const near = relative(dir, path);
  return near.startsWith('..') ? pathToFileURL(path).href : `./${near}`;
}

/** A tick every minute and at once when something arrived; the retro when the sprint is complete. */
function schedulerConfig(dir: string): unknown {
  const graph = (name: string): string => {
    const path = compositionPath(name);
    const near = relative(dir, path);
    return near.startsWith('..') ? path : near;
  };
  const input_from = 'kv:caloron:active_sprint';
  return {
    $schema: schemaAddress(dir, 'scheduler'),
    store_path: '.noether/store.json',
    jobs: [
      {
        name: 'sprint-tick',
        cron: '* * * * *',
        graph: graph('sprint_tick'),
        input_from,
        on: [
          'agent_reported',
          'agent_exited',
          'action_succeeded',
          'action_failed',
          'human_command',
          'sprint.started',
          'sprint.resumed',
          'forge.delivered',
        ],
      },
      { name: 'retro', cron: '0 18 * * 5', graph: graph('retro'), input_from, on: ['sprint.completed'] },
    ],
  };
}
