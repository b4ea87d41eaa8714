import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

/** `caloron kv get KEY`, `caloron kv list [PREFIX]`: what is remembered, as it is. */
export function kvCommand(io: Io): Command {
  const command = new Command('kv').description('look at what is remembered');
  const get = new Command('get')
    .argument('<key>')
    .description('the value of a key')
    .action((key: string) =>
      runCommand(get, io, async ({ runtime }) => {
        const found = await runtime().store.kv.get(key);
        if (found === undefined)
          throw new CliError(
            'CLI_NOT_FOUND',
            { what: 'key', id: key },
            { hint: './caloron kv list caloron:' },
          );
        return { data: found, text: JSON.stringify(found.value, null, 2) };
      }),
    );
  const list = new Command('list')
    .argument('[prefix]', 'how keys start', '')
    .description('keys that start with a prefix')
    .action((prefix: string) =>
      runCommand(list, io, async ({ runtime }) => {
        const found = await runtime().store.kv.list(prefix);
        return { data: found, text: found.join('\n') };
      }),
    );
  return command.addCommand(get).addCommand(list);
}
