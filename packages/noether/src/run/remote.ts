import { messageOf } from '../errors.ts';
import type { RemoteStageNode } from '../graph/ast.ts';
import type { Json } from '../ports.ts';
import { StageError } from '../stage/errors.ts';
import { isObject, valueMismatch } from '../types/value.ts';
import type { RunContext } from './context.ts';

/** Longest a remote stage may take, ms; the original's default. */
const REMOTE_TIMEOUT_MS = 30_000;

/** Posts `{"input"}` to a remote stage and gives `data.output` of its reply. Throws STAGE_REMOTE_FAILED. */
export async function callRemote(
  node: RemoteStageNode,
  path: string,
  input: Json,
  run: RunContext,
): Promise<Json> {
  const failed = (reason: string, retryable: boolean, cause?: unknown): StageError =>
    new StageError('STAGE_REMOTE_FAILED', { url: node.url, path, reason }, { retryable, cause });
  const signal = AbortSignal.any([run.signal, AbortSignal.timeout(REMOTE_TIMEOUT_MS)]);
  let status: number;
  let text: string;
  try {
    const response = await run.fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input }),
      signal,
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    run.signal.throwIfAborted();
    throw failed(signal.aborted ? `no answer within ${REMOTE_TIMEOUT_MS} ms` : messageOf(cause), true, cause);
  }
  const body = readJson(text);
  const retryable = status >= 500 || status === 429;
  if (!isObject(body)) throw failed(`status ${status}, and the answer is not a JSON object`, retryable);
  if (body['ok'] === false)
    throw failed(errorText(body['error']) ?? `status ${status} without an error text`, retryable);
  const { data } = body;
  if (!isObject(data) || !Object.hasOwn(data, 'output'))
    throw failed('response missing data.output field', retryable);
  const output = data['output'] ?? null;
  const wrong = valueMismatch(output, node.output);
  if (wrong)
    throw failed(
      `output ${wrong.path === '' ? '' : `at ${wrong.path} `}is ${wrong.actual}, expected ${wrong.expected}`,
      false,
    );
  return output;
}

function readJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The error of an envelope: a text, or an object with a message. */
function errorText(error: Json | undefined): string | null {
  if (typeof error === 'string') return error;
  return isObject(error) && typeof error['message'] === 'string' ? error['message'] : null;
}
