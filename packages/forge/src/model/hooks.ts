import { z } from 'zod';
import type { Sql, SqlValue } from '../database.ts';

/** What a webhook can be told of. Source: GitHub's names. */
export const HOOK_EVENTS = [
  'check_run',
  'issue_comment',
  'issues',
  'pull_request',
  'pull_request_review',
  'push',
  'status',
] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

const texts = z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text)));

/** A webhook of a repository. `active` is 0 or 1; `events` may hold `*`. */
export const Hook = z.strictObject({
  id: z.number(),
  repo_id: z.number(),
  url: z.string(),
  secret: z.string().nullable(),
  content_type: z.enum(['json', 'form']),
  events: texts,
  active: z.number(),
  created_ms: z.number(),
  updated_ms: z.number(),
});
export type Hook = z.infer<typeof Hook>;

const HOOK =
  'SELECT id, repo_id, url, secret, content_type, events, active, created_ms, updated_ms FROM hooks';

/** The webhook of a repository with this id. */
export function hookById(sql: Sql, repo_id: number, id: number): Hook | undefined {
  return sql.one(Hook, `${HOOK} WHERE repo_id = ? AND id = ?`, repo_id, id);
}

/** All webhooks of a repository, oldest first. */
export function hooksOf(sql: Sql, repo_id: number): Hook[] {
  return sql.all(Hook, `${HOOK} WHERE repo_id = ? ORDER BY id`, repo_id);
}

/** The active webhooks of a repository that want to be told of an event. */
export function hooksFor(sql: Sql, repo_id: number, event: HookEvent): Hook[] {
  return hooksOf(sql, repo_id).filter(
    ({ active, events }) => active === 1 && (events.includes(event) || events.includes('*')),
  );
}

/** Adds a webhook; gives its id. Runs inside a transaction. */
export function insertHook(sql: Sql, hook: Omit<Hook, 'id'>): number {
  return sql.run(
    `INSERT INTO hooks (repo_id, url, secret, content_type, events, active, created_ms, updated_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    hook.repo_id,
    hook.url,
    hook.secret,
    hook.content_type,
    JSON.stringify(hook.events),
    hook.active,
    hook.created_ms,
    hook.updated_ms,
  ).id;
}

/** Changes a webhook. Runs inside a transaction. */
export function updateHook(sql: Sql, hook: Hook): void {
  sql.run(
    'UPDATE hooks SET url = ?, secret = ?, content_type = ?, events = ?, active = ?, updated_ms = ? WHERE id = ?',
    hook.url,
    hook.secret,
    hook.content_type,
    JSON.stringify(hook.events),
    hook.active,
    hook.updated_ms,
    hook.id,
  );
}

/** Removes a webhook with its deliveries. Runs inside a transaction. */
export function deleteHook(sql: Sql, id: number): void {
  sql.run('DELETE FROM hooks WHERE id = ?', id);
}

/** One message to one webhook. `settled_ms` is null while it is pending; `outcome` says how the last try ended. */
export const Delivery = z.strictObject({
  id: z.number(),
  guid: z.string(),
  hook_id: z.number(),
  event: z.string(),
  action: z.string().nullable(),
  payload: z.string(),
  state: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.number(),
  due_ms: z.number(),
  status_code: z.number().nullable(),
  outcome: z.string().nullable(),
  redelivery: z.number(),
  created_ms: z.number(),
  settled_ms: z.number().nullable(),
});
export type Delivery = z.infer<typeof Delivery>;

const DELIVERY = `SELECT id, guid, hook_id, event, action, payload, state, attempts, due_ms, status_code, outcome,
  redelivery, created_ms, settled_ms FROM hook_deliveries`;

/** Deliveries kept per webhook: enough to look back on a sprint; what waits to be sent is never dropped. */
const KEPT = 1000;

/** Adds a delivery that is due at once. Runs inside the transaction of what it tells. */
export function insertDelivery(
  sql: Sql,
  row: Pick<Delivery, 'guid' | 'hook_id' | 'event' | 'action' | 'payload' | 'created_ms'> & {
    readonly redelivery: boolean;
  },
): number {
  const { id } = sql.run(
    `INSERT INTO hook_deliveries (guid, hook_id, event, action, payload, state, attempts, due_ms, redelivery, created_ms)
     VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, ?, ?)`,
    row.guid,
    row.hook_id,
    row.event,
    row.action,
    row.payload,
    row.created_ms,
    row.redelivery ? 1 : 0,
    row.created_ms,
  );
  const surplus = `SELECT id FROM hook_deliveries WHERE hook_id = ? ORDER BY id DESC LIMIT 1 OFFSET ${KEPT}`;
  const text = `DELETE FROM hook_deliveries WHERE hook_id = ? AND state <> 'pending' AND id <= (${surplus})`;
  sql.run(text, row.hook_id, row.hook_id);
  return id;
}

/** The next delivery of a webhook that is due; oldest first. */
export function dueDelivery(sql: Sql, hook_id: number, now_ms: number): Delivery | undefined {
  const where = "hook_id = ? AND state = 'pending' AND due_ms <= ? ORDER BY due_ms, id LIMIT 1";
  return sql.one(Delivery, `${DELIVERY} WHERE ${where}`, hook_id, now_ms);
}

const Pending = z.strictObject({ hook_id: z.number(), due_ms: z.number() });

/** The webhooks that have something pending, and when the first of it is due. */
export function pendingHooks(sql: Sql): { readonly hook_id: number; readonly due_ms: number }[] {
  return sql.all(
    Pending,
    "SELECT hook_id, min(due_ms) AS due_ms FROM hook_deliveries WHERE state = 'pending' GROUP BY hook_id",
  );
}

/** The webhook of a delivery; undefined when it was removed meanwhile. */
export function hookOfDelivery(sql: Sql, hook_id: number): Hook | undefined {
  return sql.one(Hook, `${HOOK} WHERE id = ?`, hook_id);
}

/** A delivery of a webhook. */
export function deliveryById(sql: Sql, hook_id: number, id: number): Delivery | undefined {
  return sql.one(Delivery, `${DELIVERY} WHERE hook_id = ? AND id = ?`, hook_id, id);
}

const Count = z.strictObject({ n: z.number() });

/** One page of a webhook's deliveries, newest first, and how many there are. */
export function listDeliveries(
  sql: Sql,
  hook_id: number,
  page: { readonly limit: number; readonly offset: number },
): { readonly items: Delivery[]; readonly total: number } {
  const text = 'SELECT count(*) AS n FROM hook_deliveries WHERE hook_id = ?';
  const total = sql.one(Count, text, hook_id)?.n ?? 0;
  const where = 'hook_id = ? ORDER BY id DESC LIMIT ? OFFSET ?';
  return { items: sql.all(Delivery, `${DELIVERY} WHERE ${where}`, hook_id, page.limit, page.offset), total };
}

/** Writes down how a try ended. Runs inside a transaction. */
export function recordTry(
  sql: Sql,
  id: number,
  end: Pick<Delivery, 'state' | 'status_code' | 'outcome' | 'due_ms' | 'settled_ms'>,
): void {
  const values: readonly SqlValue[] = [end.state, end.status_code, end.outcome, end.due_ms, end.settled_ms];
  const set = 'state = ?, status_code = ?, outcome = ?, due_ms = ?, settled_ms = ?, attempts = attempts + 1';
  sql.run(`UPDATE hook_deliveries SET ${set} WHERE id = ?`, ...values, id);
}
