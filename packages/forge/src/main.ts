import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { createLogger } from '@caloron/capabilities/logger';
import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { VERSION } from '@caloron/types/version';
import { listUsers, removeUser, revokeTokens } from './accounts.ts';
import { dataDirectory, forgeConfig } from './config.ts';
import { LocalForgeError } from './errors.ts';
import { addUser, startForge } from './server.ts';

/** Runs the command line of the local forge. Sets the exit code: 0 ended cleanly, 1 could not start or the input is wrong. */
export async function main(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode;
      return;
    }
    process.stderr.write(`caloron-forge: ${codeOf(error)}: ${messageOf(error)}\n`);
    if (error instanceof CodedError && error.hint !== undefined)
      process.stderr.write(`next: ${error.hint}\n`);
    process.exitCode = 1;
  }
}

function createProgram(): Command {
  const program = new Command('caloron-forge')
    .description(
      'A forge on this machine: the part of GitHub that a sprint needs, with no account and no network.',
    )
    .version(VERSION)
    .exitOverride()
    .enablePositionalOptions()
    .option('--port <n>', 'port to listen on; 0 takes a free one', '7720')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--data <dir>', 'directory of its database and repositories', '.caloron/forge')
    .option('--rate-limit <n>', 'requests per hour and token', '5000')
    .option('--secondary <n>', 'changes per minute and token; no such limit when left out')
    .action(runServer);
  addUserCommands(program);
  addTokenCommands(program);
  return program;
}

/** The directory a command works on: its own `--data`, else the one that stands before the command. */
function directoryOf(program: Command, { data }: { readonly data?: string }): string {
  return dataDirectory(data ?? program.opts<{ data: string }>().data);
}

/** The same, of a forge that is there: a directory misspelt is not one without users. */
function existing(program: Command, options: { readonly data?: string }): string {
  const data = directoryOf(program, options);
  if (existsSync(path.join(data, 'forge.db'))) return data;
  const expected = 'the directory of a forge, as its server was started with';
  throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', { option: '--data', given: data, expected });
}

const DATA = ['--data <dir>', 'directory of the forge (default: ".caloron/forge")'] as const;

function addUserCommands(program: Command): void {
  const user = program.command('user').description('users of the forge');
  user
    .command('add')
    .argument('<login>')
    .description(
      'give a login a fresh token, and create the user when there is none; prints {"login","token"}',
    )
    .option(...DATA)
    .option('--token-file <file>', 'write the token into this file too, readable by you alone')
    .option('--admin', 'may do everything in every repository', false)
    .action((login: string, options: AddUser) =>
      addUserCommand(directoryOf(program, options), login, options),
    );
  user
    .command('list')
    .description('print {"users":[{"login","admin","tokens"}]}, tokens being how many there are')
    .option(...DATA)
    .action(async (options: { data?: string }) =>
      print({ users: await listUsers(existing(program, options)) }),
    );
  user
    .command('remove')
    .argument('<login>')
    .description('take tokens and permissions from a user; what they wrote stays')
    .option(...DATA)
    .action(async (login: string, options: { data?: string }) =>
      print(await removeUser(existing(program, options), login)),
    );
}

function addTokenCommands(program: Command): void {
  program
    .command('token')
    .description('tokens of the forge')
    .command('revoke')
    .argument('[login]', 'whose tokens; all of them are revoked')
    .option('--token-file <file>', 'the one token to revoke')
    .option(...DATA)
    .description('revoke one token or all of a user; prints {"revoked"}')
    .action((login: string | undefined, options: { data?: string; tokenFile?: string }) =>
      revokeCommand(existing(program, options), login, options),
    );
}

function print(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const expected = 'a file this user may read';
    const details = { option: '--token-file', given: file, expected };
    throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', details, { cause: error });
  }
}

async function revokeCommand(
  data: string,
  login: string | undefined,
  { tokenFile }: { tokenFile?: string },
): Promise<void> {
  if ((login === undefined) === (tokenFile === undefined)) {
    const details = {
      option: 'LOGIN',
      given: login ?? '',
      expected: 'either a login or --token-file',
    };
    throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', details);
  }
  const of = tokenFile === undefined ? { login: login ?? '' } : { token: tokenIn(tokenFile) };
  print(await revokeTokens(data, of));
}

async function runServer(options: {
  host: string;
  port: string;
  data: string;
  rateLimit: string;
  secondary?: string;
}): Promise<void> {
  const config = forgeConfig(options);
  const logger = createLogger({ name: 'caloron-forge', level: config.log_level });
  const forge = await startForge({ ...config, logger });
  const stop = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, 'stopping');
    forge.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error: messageOf(error) }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  logger.info({ url: forge.url, data: config.data }, 'ready');
  process.stdout.write(`${JSON.stringify({ ready: true, url: forge.url, pid: process.pid })}\n`);
}

interface AddUser {
  readonly data?: string;
  readonly tokenFile?: string;
  readonly admin: boolean;
}

async function addUserCommand(data: string, login: string, { tokenFile, admin }: AddUser): Promise<void> {
  // Before the token is made: one that reached nobody would stay good for ever.
  if (tokenFile !== undefined) writeToken(tokenFile, '');
  const user = await addUser(data, login, { admin });
  if (tokenFile !== undefined) writeToken(tokenFile, `${user.token}\n`);
  print(user);
}

/** Empties or fills a file of a token. A file that was there keeps its mode when written, so it is set. */
function writeToken(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
    chmodSync(file, 0o600);
  } catch (error) {
    const expected = `a file this user may write (${messageOf(error)})`;
    const details = { option: '--token-file', given: file, expected };
    throw new LocalForgeError('LOCAL_FORGE_OPTION_INVALID', details, { cause: error });
  }
}
