import type { ForgeComment, ForgePull, ForgeRepo, ForgeReview } from '@caloron/types';

/** A forge in memory: what the harness asks of one, and faults to order. */
export interface FakeForge {
  readonly repo: ForgeRepo;
  readonly pulls: ForgePull[];
  readonly posted: ForgeComment[];
  readonly verdicts: (ForgeReview & { event: string; pr_number: number })[];
  /** Errors the next calls of a method throw, from the front; with `after` the call has its effect first. */
  readonly faults: Record<string, { error: Error; after?: boolean }[]>;
}

/** An empty forge in memory. */
export function createForge(): FakeForge {
  const pulls: ForgePull[] = [];
  const posted: ForgeComment[] = [];
  const verdicts: FakeForge['verdicts'] = [];
  const faults: FakeForge['faults'] = {};
  const at = '2026-11-21T10:00:00.000Z';
  async function effect<T>(name: string, work: () => T): Promise<T> {
    const fault = faults[name]?.shift();
    if (fault !== undefined && fault.after !== true) throw fault.error;
    const made = work();
    if (fault !== undefined) throw fault.error;
    return made;
  }
  const repo: Partial<ForgeRepo> = {
    pullsOfBranch: async (branch) =>
      effect('pullsOfBranch', () => pulls.filter(({ head_ref }) => head_ref === branch)),
    createPull: async ({ title, body, head, base }) =>
      effect('createPull', () => {
        const number = 100 + pulls.length;
        const pull: ForgePull = {
          number,
          node_id: `PR_${number}`,
          title,
          body,
          state: 'open',
          draft: false,
          fork: false,
          head_ref: head,
          head_sha: '0'.repeat(40),
          base_ref: base,
          author: 'agent',
          labels: [],
          merged_at: null,
          merge_sha: null,
          mergeable: null,
          url: '',
          created_at: at,
          updated_at: at,
          closed_at: null,
        };
        pulls.push(pull);
        return pull;
      }),
    comments: async (issue) =>
      effect('comments', () => posted.filter(({ issue_number }) => issue_number === issue)),
    comment: async (issue_number, body) =>
      effect('comment', () => {
        const made = {
          id: posted.length + 1,
          issue_number,
          body,
          author: 'agent',
          created_at: at,
          updated_at: at,
        };
        posted.push(made);
        return made;
      }),
    reviews: async (pr) => effect('reviews', () => verdicts.filter(({ pr_number }) => pr_number === pr)),
    review: async (pr_number, { event, body, commit_id }) =>
      effect('review', () => {
        const made = {
          id: `R${verdicts.length}`,
          author: 'reviewer',
          state: 'commented' as const,
          body,
          commit_id,
          submitted_at: at,
          event,
          pr_number,
        };
        verdicts.push(made);
        return made;
      }),
  };
  return { repo: repo as ForgeRepo, pulls, posted, verdicts, faults };
}
