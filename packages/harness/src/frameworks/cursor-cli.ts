import { cliFramework } from './cli-framework.ts';
import { asArgument, modelFlag } from './options.ts';
import { streamJson } from './stream-json.ts';

/** Cursor's agent: the prompt as an argument, since its stdin is not dependable. Without `--force` it changes only what its own permission file allows. */
export const cursorCli = cliFramework({
  name: 'cursor-cli',
  model: true,
  argv: (call) => [
    'cursor-agent',
    '-p',
    '--output-format',
    'stream-json',
    ...(call.dangerous ? ['--force'] : []),
    ...modelFlag(call),
    ...(call.session == null ? [] : ['--resume', call.session.id]),
    asArgument(call, 'cursor-cli'),
  ],
  prompt_on_stdin: false,
  hear: streamJson({
    input: 'inputTokens',
    output: 'outputTokens',
    cache_read: 'cacheReadTokens',
    cache_write: 'cacheWriteTokens',
  }),
});
