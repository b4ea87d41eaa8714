import { CodedError } from '@caloron/noether/stage';
import { addMs } from '@caloron/types';
import type {
  Checks,
  ForgeChanges,
  ForgeComment,
  ForgeComparison,
  ForgeIssue,
  ForgePull,
  ForgeRepo,
  ForgeReview,
  Sha,
  Timestamp,
} from '@caloron/types';

/** What one repository of a forge holds and was asked. */
export interface MemoryForge {
  readonly repo: ForgeRepo;
  readonly issues: ForgeIssue[];
  readonly pulls: ForgePull[];
  readonly comments: ForgeComment[];
  readonly reviews: Map<number, ForgeReview[]>;
  readonly checks: Map<Sha, Checks>;
  /** How commits and branches stand to each other, by `base...head`; any other head contains its base. */
  readonly comparisons: Map<string, Partial<ForgeComparison>>;
  readonly requested: Map<number, readonly string[]>;
  /** Who an issue was opened for. */
  readonly assigned: Map<number, readonly string[]>;
  readonly deleted: string[];
  /** Names of the methods called, in their order. */
  readonly calls: string[];
  /** Errors the next call of a method throws, oldest first; `after` lets the effect happen before. */
  readonly faults: Map<keyof ForgeRepo, { readonly error: Error; readonly after?: boolean }[]>;
  /** The forge's own clock. */
  now: Timestamp;
}

/** A forge's refusal. */
export function forgeError(code: string, retryable = false): CodedError<Record<string, object>> {
  return new CodedError(code, {}, `the forge says ${code}`, { retryable });
}

/** A commit of one letter. */
export function sha(letter: string): Sha {
  return letter.repeat(40);
}

const START = '2026-04-14T08:00:00.000Z';

/** A pull request as a forge gives it. */
export function pullOf(number: number, change: Partial<ForgePull> = {}): ForgePull {
  return {
    number,
    node_id: `PR_${String(number)}`,
    title: `Pull request ${String(number)}`,
    body: '',
    state: 'open',
    draft: false,
    fork: false,
    head_ref: 'caloron/sprint-1/login-form',
    head_sha: sha('a'),
    base_ref: 'main',
    author: 'caloron-bot',
    labels: [],
    merged_at: null,
    merge_sha: null,
    mergeable: true,
    url: `https://github.com/owner/repo/pull/${String(number)}`,
    created_at: START,
    updated_at: START,
    closed_at: null,
    ...change,
  };
}

/** An issue as a forge gives it. */
export function issueOf(number: number, change: Partial<ForgeIssue> = {}): ForgeIssue {
  return {
    number,
    node_id: `I_${String(number)}`,
    title: `Issue ${String(number)}`,
    body: '',
    state: 'open',
    is_pull: false,
    labels: [],
    author: 'caloron-bot',
    url: `https://github.com/owner/repo/issues/${String(number)}`,
    created_at: START,
    updated_at: START,
    closed_at: null,
    ...change,
  };
}

/** A comment as a forge gives it. */
export function commentOf(
  id: number,
  issue_number: number,
  change: Partial<ForgeComment> = {},
): ForgeComment {
  return { id, issue_number, body: '', author: 'ada', created_at: START, updated_at: START, ...change };
}

/** A review as a forge gives it. */
export function reviewOf(id: string, change: Partial<ForgeReview> = {}): ForgeReview {
  return {
    id,
    author: 'rita',
    state: 'approved',
    body: '',
    commit_id: sha('a'),
    submitted_at: START,
    ...change,
  };
}

function changes<T extends { readonly updated_at: Timestamp }>(
  all: readonly T[],
  cursor: Timestamp | null,
): ForgeChanges<T> {
  const items = all
    .filter(({ updated_at }) => cursor === null || updated_at >= cursor)
    .toSorted((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
  const newest = items[0]?.updated_at ?? cursor;
  return { items, unchanged: newest === cursor, cursor: newest };
}

/** One repository in memory, with the rules of a forge that the stages count on. */
export function memoryForge(): MemoryForge {
  const forge: Omit<MemoryForge, 'repo'> = {
    issues: [],
    pulls: [],
    comments: [],
    reviews: new Map(),
    checks: new Map(),
    comparisons: new Map(),
    requested: new Map(),
    assigned: new Map(),
    deleted: [],
    calls: [],
    faults: new Map(),
    now: START,
  };
  return Object.assign(forge, { repo: watched(repoOf(forge), forge) });
}

/** Notes each call and throws the faults laid out for it. */
function watched(repo: ForgeRepo, forge: Omit<MemoryForge, 'repo'>): ForgeRepo {
  return new Proxy(repo, {
    get: (target, name: keyof ForgeRepo) => {
      return async (...args: readonly unknown[]): Promise<unknown> => {
        forge.calls.push(name);
        const fault = forge.faults.get(name)?.shift();
        if (fault !== undefined && fault.after !== true) throw fault.error;
        const answer: unknown = await Reflect.apply(target[name], target, args);
        if (fault !== undefined) throw fault.error;
        return answer;
      };
    },
  });
}

function repoOf(forge: Omit<MemoryForge, 'repo'>): ForgeRepo {
  const { issues, pulls, comments } = forge;
  const tick = (): Timestamp => (forge.now = addMs(forge.now, 1_000));
  const number = (): number => Math.max(0, ...issues.map((i) => i.number), ...pulls.map((p) => p.number)) + 1;
  const find = <T extends { readonly number: number }>(all: readonly T[], n: number): T => {
    const found = all.find((one) => one.number === n);
    if (found === undefined) throw forgeError('FORGE_NOT_FOUND');
    return found;
  };
  const replace = <T extends { readonly number: number }>(all: T[], n: number, change: Partial<T>): T => {
    const next = { ...find(all, n), ...change, updated_at: tick() };
    all[all.findIndex((one) => one.number === n)] = next;
    return next;
  };
  return {
    whoami: () => Promise.resolve('caloron-bot'),
    info: () =>
      Promise.resolve({
        full_name: 'owner/repo',
        description: null,
        default_branch: 'main',
        open_issues: issues.length,
        private: false,
        can_push: true,
      }),
    commits: () => Promise.resolve([{ sha: sha('b'), message: 'First', author: 'ada', at: START }]),
    languages: () => Promise.resolve({}),
    changedIssues: (cursor) => Promise.resolve(changes(issues, cursor)),
    changedPulls: (cursor) => Promise.resolve(changes(pulls, cursor)),
    changedComments: (cursor) => Promise.resolve(changes(comments, cursor)),
    reviews: (n) => Promise.resolve(forge.reviews.get(n) ?? []),
    checks: (of) => Promise.resolve(forge.checks.get(of) ?? 'none'),
    compare: (base, head) =>
      Promise.resolve({
        ahead: 1,
        behind: 0,
        base_sha: null,
        merge_base: null,
        ...forge.comparisons.get(`${base}...${head}`),
      }),
    issue: async (n) => find(issues, n),
    pull: async (n) => find(pulls, n),
    comments: (n) => Promise.resolve(comments.filter((comment) => comment.issue_number === n)),
    issuesWithLabel: (label) => Promise.resolve(issues.filter(({ labels }) => labels.includes(label))),
    pullsOfBranch: (branch) => Promise.resolve(pulls.filter(({ head_ref }) => head_ref === branch)),
    ensureLabel: () => Promise.resolve(),
    createIssue: ({ title, body, labels, assignees }) => {
      const at = tick();
      const issue = issueOf(number(), { title, body, labels, created_at: at, updated_at: at });
      issues.push(issue);
      if (assignees !== undefined) forge.assigned.set(issue.number, assignees);
      return Promise.resolve(issue);
    },
    comment: (n, body) => {
      const at = tick();
      const comment = commentOf(100 + comments.length, n, {
        body,
        author: 'caloron-bot',
        created_at: at,
        updated_at: at,
      });
      comments.push(comment);
      return Promise.resolve(comment);
    },
    editComment: async (id, body) => {
      const at = comments.findIndex((comment) => comment.id === id);
      const before = comments[at];
      if (before === undefined) throw forgeError('FORGE_NOT_FOUND');
      return (comments[at] = { ...before, body, updated_at: tick() });
    },
    addLabels: async (n, labels) => {
      const all: (ForgeIssue | ForgePull)[] = issues.some((i) => i.number === n) ? issues : pulls;
      const before = find(all, n).labels;
      replace(all, n, { labels: [...new Set([...before, ...labels])] });
    },
    removeLabel: async (n, label) => {
      replace(issues, n, { labels: find(issues, n).labels.filter((one) => one !== label) });
    },
    closeIssue: async (n) => {
      const { state } = find(issues, n);
      if (state === 'open') replace(issues, n, { state: 'closed', closed_at: tick() });
    },
    reopenIssue: async (n) => {
      replace(issues, n, { state: 'open', closed_at: null });
    },
    createPull: ({ title, body, head, base }) => {
      const pull = pullOf(number(), { title, body, head_ref: head, base_ref: base });
      pulls.push(pull);
      return Promise.resolve(pull);
    },
    updatePull: async (n, change) => replace(pulls, n, change),
    requestReview: (n, logins) => {
      forge.requested.set(n, logins);
      return Promise.resolve();
    },
    review: (n, { event, body, commit_id }) => {
      const state = (
        { APPROVE: 'approved', REQUEST_CHANGES: 'changes_requested', COMMENT: 'commented' } as const
      )[event];
      const review = reviewOf(`r${String(n)}`, { state, body, commit_id, submitted_at: tick() });
      forge.reviews.set(n, [...(forge.reviews.get(n) ?? []), review]);
      return Promise.resolve(review);
    },
    merge: async (n, { sha: head }) => {
      const pull = find(pulls, n);
      if (pull.head_sha !== head) throw forgeError('FORGE_HEAD_MOVED');
      const at = tick();
      replace(pulls, n, { state: 'closed', merged_at: at, closed_at: at, merge_sha: sha('c') });
      return { merge_sha: sha('c') };
    },
    deleteBranch: (branch) => {
      forge.deleted.push(branch);
      return Promise.resolve();
    },
  };
}
