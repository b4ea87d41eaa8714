import { z } from 'zod';
import type { Sql, SqlValue } from '../database.ts';

/** Words of GitHub's issue events that the forge writes. */
export type IssueEventName =
  | 'closed'
  | 'reopened'
  | 'labeled'
  | 'unlabeled'
  | 'assigned'
  | 'unassigned'
  | 'renamed'
  | 'merged'
  | 'referenced'
  | 'head_ref_deleted'
  | 'head_ref_force_pushed'
  | 'base_ref_changed'
  | 'ready_for_review'
  | 'converted_to_draft'
  | 'review_requested'
  | 'review_request_removed'
  | 'review_dismissed';

const Extra = z.record(z.string(), z.json());

/** Something that happened to an issue or pull request. `extra` holds the event's own fields as the API shows them. */
export const IssueEvent = z.strictObject({
  id: z.number(),
  issue_id: z.number(),
  actor_id: z.number(),
  actor: z.string(),
  event: z.string(),
  commit_id: z.string().nullable(),
  extra: z.string().transform((text, context) => {
    const parsed = Extra.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: 'expected a JSON object' });
    return z.NEVER;
  }),
  created_ms: z.number(),
});
export type IssueEvent = z.infer<typeof IssueEvent>;

const SELECT = `SELECT e.id, e.issue_id, e.actor_id, u.login AS actor, e.event, e.commit_id, e.extra, e.created_ms
  FROM issue_events e JOIN users u ON u.id = e.actor_id`;

const Count = z.strictObject({ n: z.number() });

/** Appends an event. Runs inside a transaction. */
export function appendEvent(
  sql: Sql,
  event: {
    readonly repo_id: number;
    readonly issue_id: number;
    readonly actor_id: number;
    readonly event: IssueEventName;
    readonly at_ms: number;
    readonly commit_id?: string | null;
    readonly extra?: Readonly<Record<string, unknown>>;
  },
): void {
  sql.run(
    `INSERT INTO issue_events (repo_id, issue_id, actor_id, event, commit_id, extra, created_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    event.repo_id,
    event.issue_id,
    event.actor_id,
    event.event,
    event.commit_id ?? null,
    JSON.stringify(event.extra ?? {}),
    event.at_ms,
  );
}

/** One page of the events of an issue (oldest first) or of a repository (newest first, as GitHub lists them). */
export function listEvents(
  sql: Sql,
  of: { readonly repo_id: number } | { readonly issue_id: number },
  page: { readonly limit: number; readonly offset: number },
): { readonly items: IssueEvent[]; readonly total: number } {
  const [where, value, direction]: [string, SqlValue, string] =
    'issue_id' in of ? ['e.issue_id = ?', of.issue_id, 'ASC'] : ['e.repo_id = ?', of.repo_id, 'DESC'];
  const total = sql.one(Count, `SELECT count(*) AS n FROM issue_events e WHERE ${where}`, value)?.n ?? 0;
  const items = sql.all(
    IssueEvent,
    `${SELECT} WHERE ${where} ORDER BY e.id ${direction} LIMIT ? OFFSET ?`,
    value,
    page.limit,
    page.offset,
  );
  return { items, total };
}
