import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

/** `caloron kv get KEY`, `kv list [PREFIX]`: what is remembered, as it is; `kv rebuild`: made anew from the log. */
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
  const rebuild = new Command('rebuild')
    .description('make what is remembered out of the log again')
    .option('--check', 'only tell what differs; write nothing')
    .action((options: { readonly check?: boolean }) =>
      runCommand(rebuild, io, async ({ runtime, home_flag }) => {
        const check_only = options.check === true;
        const found = await runtime().store.rebuildKv({ check_only });
        const { rows, differing } = found;
        const wrong = check_only && differing.length > 0;
        const done = check_only ? 'differ from the log' : 'were written again';
        const lines = [
          differing.length === 0
            ? `${rows} keys are what the log gives`
            : `${differing.length} of ${rows} keys ${done}:`,
          ...differing.map((key) => `  ${key}`),
          ...(wrong ? [`  next: ./caloron kv rebuild${home_flag}`] : []),
        ];
        return { data: found, text: lines.join('\n'), exit_code: wrong ? 1 : 0 };
      }),
    );
  return command.addCommand(get).addCommand(list).addCommand(rebuild);
}
