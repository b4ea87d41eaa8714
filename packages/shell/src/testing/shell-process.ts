// A shell as a process of its own, so that a test can kill it. The last argument is its config as JSON, `remote` the forge's repository.
import { createLogger } from '@caloron/capabilities/logger';
import { z } from 'zod';

import { readConfig } from '../config.ts';
import { startShell } from '../start.ts';

const Given = z.object({ home: z.string(), remote: z.string(), env: z.record(z.string(), z.string()) });

const { home, remote, env } = Given.parse(JSON.parse(process.argv.at(-1) ?? ''));
const shell = await startShell(readConfig({ home, port: '0' }, env, home), {
  log: createLogger({ name: 'test', level: env['CALORON_LOG_LEVEL'] ?? 'silent' }),
  remote_url: () => remote,
});
process.stdout.write(`${JSON.stringify({ ready: true, url: shell.url, pid: process.pid })}\n`);
