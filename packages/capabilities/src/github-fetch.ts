/** Longest answer that is read, bytes after unpacking: 100 issues with bodies at GitHub's limit are 7 MB. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Redirects within the host that are followed: a renamed repository needs one. */
const MAX_REDIRECTS = 3;

const REDIRECTS = new Set([301, 302, 307, 308]);

/** Why an answer was not read to its end. */
export type Abandoned = 'too_large' | 'too_late';

/**
 * An answer that was given up. Octokit hands errors of this name on as they are, and its repetition leaves alone what belongs to no
 * request of its own: another try would only take as long, or be as large.
 */
export class AnswerAbandoned extends Error {
  override readonly name = 'AbortError';
  readonly why: Abandoned;
  /** What the repetition looks at: nothing to repeat. */
  readonly request = {};

  constructor(why: Abandoned) {
    super(why === 'too_large' ? 'the answer is too large' : 'no answer in time');
    this.why = why;
  }
}

/** Whether two addresses have the same scheme, host and port. */
export function sameOrigin(a: string, b: string): boolean {
  return URL.parse(a)?.origin === URL.parse(b)?.origin;
}

/** The address of a redirect that may be followed with the token: within the host, and with the same request. */
function redirectOf(response: Response, target: string, init: RequestInit): string | undefined {
  const location = response.headers.get('location');
  if (location === null || !REDIRECTS.has(response.status)) return undefined;
  const repeatable = init.method === 'GET' || response.status === 307 || response.status === 308;
  const followed = URL.parse(location, target)?.href;
  return repeatable && followed !== undefined && sameOrigin(followed, target) ? followed : undefined;
}

/** The body, read no further than `max_bytes`: an announced length is believed only when it is too long. */
async function textOf(response: Response, max_bytes: number): Promise<string> {
  const { body } = response;
  if (body === null) return '';
  if (Number(response.headers.get('content-length')) > max_bytes) {
    await body.cancel();
    throw new AnswerAbandoned('too_large');
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the body, and with it the connection.
  for await (const part of body) {
    bytes += part.byteLength;
    if (bytes > max_bytes) throw new AnswerAbandoned('too_large');
    parts.push(part);
  }
  return new TextDecoder().decode(Buffer.concat(parts, bytes));
}

/** How far a fetch goes. */
export interface FetchBounds {
  /** An attempt that takes longer is given up, body included. */
  readonly timeout_ms: number;
  /** Longest body in bytes. */
  readonly max_bytes?: number | undefined;
}

/**
 * A fetch that gives each attempt its own deadline, body included, and follows redirects within the host alone: an answer
 * that leads elsewhere is handed on as it is, so that the token stays here. Throws AnswerAbandoned for an answer that is too large, and
 * once the caller's own signal, which bounds all attempts together, is over.
 */
export function guardedFetch(bounds: FetchBounds): (url: string, init: RequestInit) => Promise<Response> {
  const { timeout_ms, max_bytes = MAX_ANSWER_BYTES } = bounds;
  return async (url, init) => {
    const all = init.signal ?? undefined;
    const attempt = AbortSignal.timeout(timeout_ms);
    const signal = all === undefined ? attempt : AbortSignal.any([attempt, all]);
    let target = url;
    try {
      for (let redirects = 0; ; redirects += 1) {
        const response = await fetch(target, { ...init, redirect: 'manual', signal });
        const followed = redirects < MAX_REDIRECTS ? redirectOf(response, target, init) : undefined;
        if (followed === undefined) {
          const text = await textOf(response, max_bytes);
          return new Response(text === '' ? null : text, {
            status: response.status,
            headers: response.headers,
          });
        }
        await response.body?.cancel();
        target = followed;
      }
    } catch (error) {
      if (all?.aborted === true) throw new AnswerAbandoned('too_late');
      throw error;
    }
  };
}
