import { dirname } from 'node:path';

import { publicKeyText } from '@caloron/noether/records';
import { authorKey, distrustKey, listTrusted, trustKey } from '@caloron/store/stage-store-keys';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

interface TrustOptions extends StoreOption {
  readonly name: string;
  readonly remove?: boolean;
}

/** `noether stage trust KEY`. */
export function trustCommand(io: Io): Command {
  const command = withStore(
    new Command('trust')
      .description('rely on stages that are signed by a key, or no longer')
      .argument('<key>', 'an Ed25519 public key: 64 hex digits')
      .option('--name <who>', 'whose key it is', '')
      .option('--remove', 'rely on it no longer'),
  );
  return command.action((key: string, options: TrustOptions) =>
    runCommand(command, io, async (context) => {
      const dir = dirname(storeFile(context, options));
      const public_key = publicKeyText(key);
      const remove = options.remove === true;
      const listed = remove && (await listTrusted(dir)).some((other) => other.public_key === public_key);
      const keys = remove
        ? await distrustKey(dir, public_key)
        : await trustKey(dir, { public_key, name: options.name });
      return {
        data: { public_key, trusted: !remove, keys },
        text: `${public_key} ${remove ? (listed ? 'is no longer trusted' : 'was not on the list of trusted keys') : 'is trusted now'}`,
      };
    }),
  );
}

/** `noether stage keys`. */
export function keysCommand(io: Io): Command {
  const head = ['public key', 'whose'] as const;
  const command = withStore(
    new Command('keys').description(
      'the public key stages are signed with here, and the keys that are trusted',
    ),
  );
  return command.action((options: StoreOption) =>
    runCommand(command, io, async (context) => {
      const dir = dirname(storeFile(context, options));
      const { public_key } = await authorKey(dir);
      const trusted = await listTrusted(dir);
      const rows = [
        [public_key, 'the author here'],
        ...trusted.map((key) => [key.public_key, key.name === '' ? '-' : key.name]),
      ];
      return {
        data: { author: public_key, trusted, directory: dir },
        text: rows.map(([key = '', whose = '']) => `${key}  ${whose}`).join('\n'),
        table: { head, rows },
      };
    }),
  );
}
