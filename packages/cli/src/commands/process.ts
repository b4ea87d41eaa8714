import { readFileSync } from 'node:fs';

import { createShells } from '@caloron/capabilities/shell';
import { messageOf } from '@caloron/noether/errors';
import type { ProcessRow } from '@caloron/types';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';

/** A stopped agent has this long to end by itself. */
const GRACE_MS = 10_000;

function find(context: Context, id: string): ProcessRow {
  const rows = context.runtime().store.processes.list();
  const found = rows.findLast((row) => row.process_id.startsWith(id) || row.agent_id === id);
  if (found !== undefined) return found;
  throw new CliError(
    'CLI_NOT_FOUND',
    { what: 'agent or process', id },
    { hint: './caloron agents lists them' },
  );
}

/** `caloron logs AGENT`: what an agent's latest process printed. */
export function logsCommand(io: Io): Command {
  const command = new Command('logs')
    .description('what an agent printed')
    .argument('<agent>', 'agent id or process id')
    .action((id: string) =>
      runCommand(command, io, (context) => {
        const row = find(context, id);
        try {
          const text = readFileSync(row.log_file, 'utf8');
          return Promise.resolve({
            data: { process_id: row.process_id, log_file: row.log_file, text },
            text: text.trimEnd(),
          });
        } catch (error) {
          throw new CliError(
            'CLI_NOT_FOUND',
            { what: 'log', id: `${row.log_file}: ${messageOf(error)}` },
            { cause: error },
          );
        }
      }),
    );
  return command;
}

/** `caloron stop AGENT`: ends an agent; what it had not committed is kept. */
export function stopCommand(io: Io): Command {
  const command = new Command('stop')
    .description('end an agent; its uncommitted work is kept')
    .argument('<agent>', 'agent id or process id')
    .action((id: string) =>
      runCommand(command, io, async (context) => {
        const { environment } = context;
        const { process_id, agent_id } = find(context, id);
        const shell = createShells({
          url: environment.shell_url,
          token: environment.shell_token,
          db_id: context.runtime().store.db_id,
        }).open(null);
        const { exit, wip_ref } = await shell.stop({ process_id, grace_ms: GRACE_MS });
        const kept = wip_ref === null ? 'nothing was uncommitted' : `its uncommitted work is in ${wip_ref}`;
        return { data: { process_id, exit, wip_ref }, text: `${agent_id} ended; ${kept}` };
      }),
    );
  return command;
}
