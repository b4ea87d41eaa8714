import { isRetryable } from '../errors.ts';
import type { RetryNode } from '../graph/ast.ts';
import { GraphError } from '../graph/errors.ts';
import type { Json } from '../ports.ts';
import { StageError } from '../stage/errors.ts';
import { publicCode } from './call-stage.ts';
import type { RunContext } from './context.ts';
import { wait } from './wait.ts';

/** Errors another attempt cannot cure: what was refused by a check. */
const FINAL: readonly string[] = [
  'STAGE_INPUT_INVALID',
  'STAGE_OUTPUT_INVALID',
  'STAGE_CAPABILITY_MISSING',
  'STAGE_CREDENTIAL_MISSING',
  'STAGE_NO_CODE',
];
/** Errors of the graph itself that time may cure. */
const PASSING: readonly string[] = ['GRAPH_RETRY_EXHAUSTED', 'GRAPH_NODE_TIMEOUT'];

/** Runs a node until it succeeds, `max_attempts` times at most, with its waits between. Throws the last error; GRAPH_RETRY_EXHAUSTED where no attempt is allowed. */
export async function retry(
  node: RetryNode,
  path: string,
  run: RunContext,
  once: () => Promise<Json>,
): Promise<Json> {
  if (node.max_attempts < 1) throw new GraphError('GRAPH_RETRY_EXHAUSTED', { path, attempts: 0 });
  let delay = node.delay_ms ?? 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once();
    } catch (error) {
      if (run.signal.aborted || attempt >= node.max_attempts) throw error;
      if (!run.compat && !mayRetry(error, node)) throw error;
    }
    if (delay > 0 && !run.compat) await wait(Math.min(delay, node.max_delay_ms ?? delay), run.ending);
    else await run.breathe();
    delay *= node.backoff ?? 1;
  }
}

function mayRetry(error: unknown, { retry_on }: RetryNode): boolean {
  if (error instanceof GraphError && !PASSING.includes(error.code)) return false;
  if (error instanceof StageError && FINAL.includes(error.code)) return false;
  if (retry_on === undefined) return true;
  return retry_on === 'retryable' ? isRetryable(error) : retry_on.includes(publicCode(error));
}
