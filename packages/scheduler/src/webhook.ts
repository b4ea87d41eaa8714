import { messageOf } from '@caloron/noether/errors';

/** A hanging endpoint is given up on after this many milliseconds. */
const WEBHOOK_TIMEOUT_MS = 10_000;

/** What a job's webhook is sent after every run. */
export interface WebhookPayload {
  readonly job: string;
  readonly composition_id: string | null;
  readonly ok: boolean;
  readonly output?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly duration_ms: number;
  /** The slot, whole seconds. */
  readonly fired_at: string;
}

/** Posts the payload once; the answer's status is told, never acted on. */
export async function postWebhook(
  url: string,
  payload: WebhookPayload,
): Promise<{ readonly sent: boolean; readonly detail: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'caloron' },
      body: JSON.stringify(payload),
      redirect: 'manual',
      signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return { sent: true, detail: `HTTP ${response.status}` };
  } catch (error) {
    return { sent: false, detail: messageOf(error) };
  }
}
