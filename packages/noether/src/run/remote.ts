import { messageOf } from '../errors.ts';
import type { RemoteStageNode } from '../graph/ast.ts';
import type { Json } from '../ports.ts';
import { StageError } from '../stage/errors.ts';
import { isObject, valueMismatch } from '../types/value.ts';
import { publicCode } from './call-stage.ts';
import type { RunContext } from './context.ts';
import { within } from './deadline.ts';
import { redactText } from './redact.ts';
import { settle } from './settle.ts';

/** Longest a remote stage may take unless its node says otherwise, ms; the original's default. */
const REMOTE_TIMEOUT_MS = 30_000;
/** Largest answer of a remote stage, bytes. */
const MAX_ANSWER = 33_554_432;
/** Longest text of a peer an error repeats, characters. */
const MAX_REASON = 2000;

/** Posts `{"input"}` to a remote stage and gives `data.output` of its reply; tells the trace. Throws STAGE_REMOTE_FAILED, STAGE_CREDENTIAL_MISSING. */
export async function callRemote(
  node: RemoteStageNode,
  path: string,
  input: Json,
  run: RunContext,
): Promise<Json> {
  run.signal.throwIfAborted();
  const { tracing } = run;
  const place = shownUrl(node.url);
  const facts = tracing && {
    path,
    stage_id: place,
    stage_name: place,
    input,
    started_at: tracing.now(),
    began: performance.now(),
  };
  try {
    const output = await post({ node, path, place }, input, run);
    if (facts) await tracing?.step({ ...facts, status: 'ok', output });
    return output;
  } catch (thrown) {
    const error = { code: publicCode(thrown), message: messageOf(thrown) };
    if (facts) await tracing?.step({ ...facts, status: 'failed', error });
    throw thrown;
  }
}

interface RemoteCall {
  readonly node: RemoteStageNode;
  readonly path: string;
  /** The address as it may be shown. */
  readonly place: string;
}

type Failed = (reason: string, retryable: boolean, cause?: unknown) => StageError;

async function post({ node, path, place }: RemoteCall, input: Json, run: RunContext): Promise<Json> {
  const unfit = valueMismatch(input, node.input);
  if (unfit) {
    const issue = `${unfit.path === '' ? '' : `${unfit.path}: `}expected ${unfit.expected}, got ${unfit.actual}`;
    throw new StageError('STAGE_INPUT_INVALID', { stage: place, path, issues: [issue] });
  }
  const credential = credentialOf(node, path, run);
  const failed: Failed = (told, retryable, cause) => {
    // A peer may repeat what it was sent.
    const reason = redactText(told, credential === null ? [] : [credential]);
    return new StageError('STAGE_REMOTE_FAILED', { url: place, path, reason }, { retryable, cause });
  };
  const unusable = faultOfUrl(node.url);
  if (unusable !== null) throw failed(unusable, false);
  const ms = node.timeout_ms ?? REMOTE_TIMEOUT_MS;
  const request = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(credential !== null && { authorization: `Bearer ${credential}` }),
    },
    body: JSON.stringify({ input }),
    // Another address would get the input and the credential.
    redirect: 'manual',
  } as const;
  const { status, text } = await within(
    run,
    { timeout: { ms, error: () => failed(`no answer within ${ms} ms`, true) } },
    async ({ signal }) => {
      try {
        const response = await run.fetch(node.url, { ...request, signal });
        return { status: response.status, text: await limitedText(response, failed) };
      } catch (cause) {
        throw cause instanceof StageError ? cause : unreached(cause, failed);
      }
    },
  );
  return outputOf(node, status, text, failed);
}

/** An address without what may be secret in it. */
function shownUrl(address: string): string {
  const url = URL.parse(address);
  if (url === null) return 'its address';
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Why nothing can be sent to an address; null when it can. */
function faultOfUrl(address: string): string | null {
  const url = URL.parse(address);
  if (url === null) return 'the address is none; expected something like https://peer.example/stage';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'the address is not one of http or https';
  if (url.username !== '' || url.password !== '')
    return 'the address carries a user or a password; name a credential by `auth` instead';
  return null;
}

/** The credential a node names, from now on hidden in the trace; null where it names none. Throws STAGE_CREDENTIAL_MISSING. */
function credentialOf({ auth }: RemoteStageNode, path: string, run: RunContext): string | null {
  if (auth === undefined) return null;
  const credential = run.credentials(auth);
  if (credential === null) throw new StageError('STAGE_CREDENTIAL_MISSING', { path, alias: auth });
  run.tracing?.learn(credential);
  return credential;
}

/** No answer came: `fetch failed` with what failed. What has no cause is about the request itself, and its sentence holds the credential. */
function unreached(cause: unknown, failed: Failed): StageError {
  const below = cause instanceof TypeError ? cause.cause : undefined;
  if (cause instanceof TypeError && below === undefined)
    return failed(
      'the request cannot be sent; its credential may have characters HTTP does not allow',
      false,
    );
  const reason = below === undefined ? messageOf(cause) : `${messageOf(cause)}: ${messageOf(below)}`;
  return failed(reason, true, cause);
}

async function limitedText(response: Response, failed: Failed): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > MAX_ANSWER) throw failed(`the answer is larger than ${MAX_ANSWER} bytes`, false);
    parts.push(part);
  }
  return new TextDecoder().decode(Buffer.concat(parts));
}

function outputOf(node: RemoteStageNode, status: number, text: string, failed: Failed): Json {
  const retryable = status >= 500 || status === 429;
  if (status >= 300 && status < 400)
    throw failed(`status ${status}: it answers with another address, which is not followed`, false);
  const body = readJson(text);
  if (!isObject(body)) throw failed(`status ${status}, and the answer is not a JSON object`, retryable);
  if (body['ok'] === false)
    throw failed(errorText(body['error']) ?? `status ${status} without an error text`, retryable);
  const { data } = body;
  if (!isObject(data) || !Object.hasOwn(data, 'output'))
    throw failed('response missing data.output field', retryable);
  const output = settle(data['output']);
  if (output === undefined) throw failed('data.output holds something JSON cannot carry', false);
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

/** The error of an envelope, a text or an object with a message, cut where it is long. */
function errorText(error: Json | undefined): string | null {
  const text = isObject(error) ? error['message'] : error;
  if (typeof text !== 'string') return null;
  return text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}…` : text;
}
