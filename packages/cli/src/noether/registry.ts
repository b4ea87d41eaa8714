import { createLogger } from '@caloron/capabilities/logger';
import { startRegistry } from '@caloron/scheduler/registry/server';
import { VERSION } from '@caloron/types/version';
import { Command, InvalidArgumentError } from 'commander';

import { type Context, runCommand } from '../context.ts';
import type { Answer, Io } from '../output.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

/** The next one after the shell's and the scheduler's. */
const PORT = 7730;

interface ServeOptions extends StoreOption {
  readonly host: string;
  readonly port: number;
  readonly public?: boolean;
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d{1,5}$/u.test(text) || value > 65_535)
    throw new InvalidArgumentError('expected a port from 0 to 65535');
  return value;
}

/** `noether registry serve`. */
function serveCommand(io: Io): Command {
  const command = withStore(
    new Command('serve')
      .description('serve the stage store to schedulers and people, and take stages that are pushed')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <n>', 'port to listen on; 0 takes a free one', port, PORT)
      .option('--public', 'let everybody read who reaches an address of other machines'),
  );
  return command.action((options: ServeOptions) =>
    runCommand(command, io, (context) => serve(context, options)),
  );
}

async function serve(context: Context, options: ServeOptions): Promise<Answer> {
  const { variables, log_level } = context.environment;
  const logger = createLogger({ name: 'noether-registry', level: log_level });
  const registry = await startRegistry({
    file: storeFile(context, options),
    host: options.host,
    port: options.port,
    public: options.public === true,
    keys: {
      read: variables['NOETHER_REGISTRY_READ_KEY'],
      write: variables['NOETHER_REGISTRY_WRITE_KEY'],
    },
    version: VERSION,
    logger,
  });
  // Asked for before anybody is told that it serves: who reads that may end it at once.
  const asked = askedToEnd();
  context.io.out(`${JSON.stringify({ ready: true, url: registry.url, pid: process.pid })}\n`);
  await asked;
  await registry.close();
  return { data: { url: registry.url }, text: '', streamed: true };
}

const ENDING = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** A second wish ends the process at once. */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      for (const name of ENDING) process.removeListener(name, end);
      resolve();
    };
    for (const name of ENDING) process.on(name, end);
  });
}

/** `noether registry serve`. */
export function registryCommand(io: Io): Command {
  return new Command('registry').description('share a stage store over HTTP').addCommand(serveCommand(io));
}
