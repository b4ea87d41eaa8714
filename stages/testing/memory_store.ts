import { CodedError } from '@caloron/noether/stage';
import type {
  Action,
  ActionResult,
  DagState,
  Event,
  KvRead,
  KvWrite,
  LogRead,
  Outbox,
  OutboxRow,
  SprintCommit,
  SprintSnapshot,
  StateCommit,
  Timestamp,
} from '@caloron/types';

/** What a store remembers, and the ports a run reaches it by. */
export interface MemoryStore {
  readonly kv: KvRead & KvWrite;
  readonly state: StateCommit;
  readonly log: LogRead;
  readonly outbox: Outbox;
  readonly rows: Map<string, { value: unknown; rev: number }>;
  readonly sprints: Map<string, SprintSnapshot>;
  readonly actions: Map<string, OutboxRow & { interrupted: boolean }>;
  readonly events: { readonly seq: number; readonly event: Event }[];
  readonly seen: Set<string>;
  /** Every commit that changed something. */
  readonly commits: SprintCommit[];
  /** Lays an action into the outbox. */
  readonly intend: (action: Action) => void;
}

function conflict(key: string): CodedError<Record<string, object>> {
  return new CodedError('STORE_CONFLICT', { key }, `${key} was changed meanwhile`, { retryable: true });
}

function unknown(sprint_id: string): CodedError<Record<string, object>> {
  return new CodedError('SPRINT_UNKNOWN', { sprint_id }, `there is no sprint ${sprint_id}`);
}

const START: Timestamp = '2026-04-14T08:00:00.000Z';

/** An intended action as the outbox keeps it. */
export function rowOf(
  action: Action,
  change: Partial<OutboxRow & { interrupted: boolean }> = {},
): OutboxRow & { interrupted: boolean } {
  const { action_id, sprint_id } = action;
  const fresh = {
    fence: 1,
    attempts: 0,
    status: 'pending',
    next_at: START,
    result: null,
    error: null,
    interrupted: false,
  } as const;
  return { action_id, sprint_id, action, ...fresh, ...change };
}

/** A store in memory, with the rules of the ports: compare-and-set, one row per action, results as events. */
export function memoryStore(states: readonly DagState[] = []): MemoryStore {
  const store: Omit<MemoryStore, 'kv' | 'state' | 'log' | 'outbox'> = {
    rows: new Map(),
    sprints: new Map(
      states.map((state) => [
        state.sprint_id,
        { state, rev: 1, cursors: { v: 1, log_seq: 0, forge: {} }, last_poll: null },
      ]),
    ),
    actions: new Map(),
    events: [],
    seen: new Set(),
    commits: [],
    intend: (action) => {
      store.actions.set(action.action_id, rowOf(action));
    },
  };
  return Object.assign(store, {
    kv: kvOf(store),
    state: stateOf(store),
    log: logOf(store),
    outbox: outboxOf(store),
  });
}

type Inner = Omit<MemoryStore, 'kv' | 'state' | 'log' | 'outbox'>;

function kvOf({ rows }: Inner): KvRead & KvWrite {
  return {
    get: (key) => Promise.resolve(rows.get(key)),
    list: (prefix) => Promise.resolve([...rows.keys()].filter((key) => key.startsWith(prefix)).toSorted()),
    put: async (key, value, options) => {
      const rev = rows.get(key)?.rev ?? 0;
      if (options?.expect_rev !== undefined && options.expect_rev !== rev) throw conflict(key);
      rows.set(key, { value, rev: rev + 1 });
      return { rev: rev + 1 };
    },
    delete: (key) => Promise.resolve(rows.delete(key)),
  };
}

function stateOf(store: Inner): StateCommit {
  return {
    load: async (sprint_id) => {
      const found = store.sprints.get(sprint_id);
      if (found === undefined) throw unknown(sprint_id);
      return found;
    },
    exists: (sprint_id) => Promise.resolve(store.sprints.has(sprint_id)),
    commit: async (change) => {
      const before = store.sprints.get(change.sprint_id);
      const rev = before?.rev ?? 0;
      if (rev !== change.expect_rev) throw conflict(change.sprint_id);
      const { state, cursors, last_poll } = change;
      const actions = change.actions.filter(({ action_id }) => !store.actions.has(action_id));
      const events = change.events.filter(({ event_id }) => !store.seen.has(event_id));
      const same = JSON.stringify({ state, cursors, last_poll });
      const old =
        before &&
        JSON.stringify({ state: before.state, cursors: before.cursors, last_poll: before.last_poll });
      const extra = actions.length + events.length + change.announce.length + Object.keys(change.puts).length;
      if (same === old && extra === 0) return { changed: false, rev };
      store.sprints.set(change.sprint_id, { state, cursors, last_poll, rev: rev + 1 });
      for (const action of actions) store.actions.set(action.action_id, rowOf(action));
      for (const { event_id } of events) store.seen.add(event_id);
      for (const [key, value] of Object.entries(change.puts))
        store.rows.set(key, { value, rev: (store.rows.get(key)?.rev ?? 0) + 1 });
      store.commits.push(change);
      return { changed: true, rev: rev + 1 };
    },
  };
}

function logOf({ events, seen }: Inner): LogRead {
  return {
    since: ({ after }) =>
      Promise.resolve({ events: events.filter(({ seq }) => seq > after), last_seq: events.at(-1)?.seq ?? 0 }),
    seen: (_sprint, ids) => Promise.resolve(ids.filter((id) => seen.has(id))),
  };
}

function outboxOf({ actions, events }: Inner): Outbox {
  const row = (action_id: string): OutboxRow & { interrupted: boolean } => {
    const found = actions.get(action_id);
    if (found === undefined) throw new Error(`no action ${action_id}`);
    return found;
  };
  const say = (event: Event): void => {
    events.push({ seq: (events.at(-1)?.seq ?? 0) + 1, event });
  };
  const base = (
    action: Action,
    attempts: number,
  ): Pick<Event, 'event_id' | 'created_at' | 'actor' | 'trusted'> => ({
    event_id: `${action.action_id}:${String(attempts)}`,
    created_at: START,
    actor: null,
    trusted: true,
  });
  return {
    due: ({ sprint_id, now, limit }) =>
      Promise.resolve(
        [...actions.values()]
          .filter((one) => one.sprint_id === sprint_id && one.next_at <= now)
          .filter(
            ({ status, interrupted }) =>
              status === 'pending' || status === 'failed' || (status === 'running' && interrupted),
          )
          .slice(0, limit),
      ),
    start: (action_id) => {
      const found = row(action_id);
      if (
        found.status === 'done' ||
        found.status === 'dead' ||
        (found.status === 'running' && !found.interrupted)
      ) {
        return Promise.resolve(false);
      }
      actions.set(action_id, {
        ...found,
        status: 'running',
        attempts: found.attempts + 1,
        interrupted: false,
      });
      return Promise.resolve(true);
    },
    succeed: (action_id, result: ActionResult) => {
      const found = row(action_id);
      actions.set(action_id, { ...found, status: 'done', result });
      say({ ...base(found.action, found.attempts), type: 'action_succeeded', action: found.action, result });
      return Promise.resolve();
    },
    fail: (action_id, error, next_at) => {
      const found = row(action_id);
      actions.set(action_id, {
        ...found,
        status: next_at === null ? 'dead' : 'failed',
        error,
        next_at: next_at ?? found.next_at,
      });
      say({
        ...base(found.action, found.attempts),
        type: 'action_failed',
        action: found.action,
        error,
        final: next_at === null,
      });
      return Promise.resolve();
    },
    postpone: (action_id, error, next_at, again = false) => {
      const found = row(action_id);
      const attempts = found.attempts - 1;
      actions.set(action_id, { ...found, status: 'failed', attempts, error, next_at });
      if (again || found.error?.code !== error.code)
        say({
          ...base(found.action, events.length),
          type: 'action_failed',
          action: found.action,
          error,
          final: false,
        });
      return Promise.resolve();
    },
    nextDue: () => Promise.resolve(null),
  };
}
