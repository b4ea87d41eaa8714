import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ForgeContext } from '../context.ts';
import { notFound } from '../errors.ts';
import { branchSha } from '../git/refs.ts';
import { dropProtection, protectionOf, saveProtection, type ProtectionRules } from '../model/protection.ts';
import type { Repo } from '../model/repos.ts';
import { bodyOf, writeAccess } from '../request.ts';
import { repoUrl } from '../wire/repo.ts';

const Contexts = z.array(z.string().max(255)).max(100);

/** GitHub asks for all four, so that leaving one out is no way to switch it off. */
const Wanted = z.object({
  required_status_checks: z
    .object({
      strict: z.boolean().default(false),
      contexts: Contexts.optional(),
      checks: z.array(z.object({ context: z.string().max(255) })).optional(),
    })
    .nullable(),
  enforce_admins: z.boolean().nullable(),
  required_pull_request_reviews: z
    .object({
      dismiss_stale_reviews: z.boolean().default(false),
      required_approving_review_count: z.number().int().min(0).max(6).default(1),
    })
    .nullable(),
  restrictions: z.null('this forge has no restrictions by name: give push permission to those who may push'),
  allow_force_pushes: z.boolean().nullish(),
  allow_deletions: z.boolean().nullish(),
});

/** Protected branches: what a push and a merge need there. */
export function protectionRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  // Octokit writes a slash inside a branch's name as %2F, so it is one part of the path.
  const path = '/repos/:owner/:repo/branches/:branch/protection';

  app.get(path, async (request) => {
    const { repo, branch } = await branchOf(ctx, request);
    const rules = protectionOf(ctx.sql, repo.id, branch);
    if (rules === undefined) throw notFound('Branch not protected');
    return protectionJson(ctx, repo, branch, rules);
  });

  app.put(path, async (request) => {
    const { repo, branch } = await branchOf(ctx, request);
    const rules = rulesOf(bodyOf(request, Wanted, 'ProtectedBranch'));
    await ctx.sql.write(() => saveProtection(ctx.sql, repo.id, branch, rules));
    return protectionJson(ctx, repo, branch, rules);
  });

  app.delete(path, async (request, reply) => {
    const { repo, branch } = await branchOf(ctx, request);
    if (protectionOf(ctx.sql, repo.id, branch) === undefined) throw notFound('Branch not protected');
    await ctx.sql.write(() => dropProtection(ctx.sql, repo.id, branch));
    return reply.code(204).send();
  });
}

async function branchOf(
  ctx: ForgeContext,
  request: FastifyRequest,
): Promise<{ readonly repo: Repo; readonly branch: string }> {
  const { repo } = writeAccess(ctx, request, 'admin');
  const { branch } = z.object({ branch: z.string() }).parse(request.params);
  if ((await branchSha(ctx.gitDir(repo), branch)) === undefined) throw notFound('Branch not found');
  return { repo, branch };
}

function rulesOf(wanted: z.infer<typeof Wanted>): ProtectionRules {
  const { required_status_checks: checks, required_pull_request_reviews: reviews } = wanted;
  const named = checks?.checks?.map(({ context }) => context);
  return {
    reviews:
      reviews === null
        ? null
        : {
            approvals: reviews.required_approving_review_count,
            dismiss_stale: reviews.dismiss_stale_reviews,
          },
    checks: checks === null ? null : { strict: checks.strict, contexts: named ?? checks.contexts ?? [] },
    enforce_admins: wanted.enforce_admins ?? false,
    allow_force_pushes: wanted.allow_force_pushes ?? false,
    allow_deletions: wanted.allow_deletions ?? false,
  };
}

function protectionJson(ctx: ForgeContext, repo: Repo, branch: string, rules: ProtectionRules) {
  const url = `${repoUrl(ctx, repo)}/branches/${encodeURIComponent(branch)}/protection`;
  const { reviews, checks } = rules;
  const statuses = {
    url: `${url}/required_status_checks`,
    contexts_url: `${url}/required_status_checks/contexts`,
    strict: checks?.strict ?? false,
    contexts: checks?.contexts ?? [],
    checks: (checks?.contexts ?? []).map((context) => ({ context, app_id: null })),
  };
  const verdicts = {
    url: `${url}/required_pull_request_reviews`,
    dismiss_stale_reviews: reviews?.dismiss_stale ?? false,
    require_code_owner_reviews: false,
    require_last_push_approval: false,
    required_approving_review_count: reviews?.approvals ?? 0,
  };
  return {
    url,
    ...(checks === null ? {} : { required_status_checks: statuses }),
    ...(reviews === null ? {} : { required_pull_request_reviews: verdicts }),
    enforce_admins: { url: `${url}/enforce_admins`, enabled: rules.enforce_admins },
    required_linear_history: { enabled: false },
    allow_force_pushes: { enabled: rules.allow_force_pushes },
    allow_deletions: { enabled: rules.allow_deletions },
  };
}
