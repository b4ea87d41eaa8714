import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { requireViewer, type Access } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { notFound, refused } from '../errors.ts';
import {
  deleteHook,
  deliveryById,
  HOOK_EVENTS,
  hookById,
  hooksOf,
  insertHook,
  listDeliveries,
  updateHook,
  type Delivery,
  type Hook,
} from '../model/hooks.ts';
import { allows, type Repo } from '../model/repos.ts';
import type { User } from '../model/users.ts';
import { accessOf, bodyOf, idOf, pageOf, sendPage } from '../request.ts';
import { repoJson, repoUrl, userJson } from '../wire/repo.ts';
import { seconds } from '../wire/time.ts';

const Url = z
  .string()
  .max(2000)
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'expected an http or https address',
  );
const Config = z.object({
  url: Url,
  secret: z.string().max(1000).nullish(),
  content_type: z.enum(['json', 'form']).default('form'),
});
const Events = z
  .array(z.enum([...HOOK_EVENTS, '*'], `this forge tells of ${HOOK_EVENTS.join(', ')}, or * for all`))
  .min(1);

const NewHook = z.object({
  name: z.literal('web').default('web'),
  config: Config,
  events: Events.default(['push']),
  active: z.boolean().default(true),
});
const ChangedHook = z.object({
  config: Config.partial().optional(),
  events: Events.optional(),
  add_events: Events.optional(),
  remove_events: Events.optional(),
  active: z.boolean().optional(),
});

/** Webhooks of a repository and what was sent to them. Who is no admin of it is told of none, as on GitHub. */
export function hookRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  const path = '/repos/:owner/:repo/hooks';

  app.get(path, async (request, reply) => {
    const { repo } = adminAccess(ctx, request);
    const page = pageOf(request);
    const all = hooksOf(ctx.sql, repo.id);
    const items = all.slice(page.offset, page.offset + page.limit).map((hook) => hookJson(ctx, repo, hook));
    return sendPage(ctx, request, reply, page, { items, total: all.length });
  });

  app.post(path, async (request, reply) => {
    const { repo, viewer } = adminAccess(ctx, request);
    const { config, events, active } = bodyOf(request, NewHook, 'Hook');
    refuseTwin(ctx, repo, config.url, events);
    const id = await ctx.sql.write(() => {
      const at_ms = ctx.stamp();
      const secret = config.secret ?? null;
      const { url, content_type } = config;
      const row = { repo_id: repo.id, url, secret, content_type, events, active: active ? 1 : 0 };
      const made = insertHook(ctx.sql, { ...row, created_ms: at_ms, updated_ms: at_ms });
      ping(ctx, repo, viewer, known(ctx, repo, made));
      return made;
    });
    return reply.code(201).send(hookJson(ctx, repo, known(ctx, repo, id)));
  });

  app.get(`${path}/:id`, async (request) => {
    const { repo } = adminAccess(ctx, request);
    return hookJson(ctx, repo, known(ctx, repo, idOf(request)));
  });

  app.patch(`${path}/:id`, async (request) => {
    const { repo } = adminAccess(ctx, request);
    const hook = known(ctx, repo, idOf(request));
    const change = bodyOf(request, ChangedHook, 'Hook');
    const wanted = change.events ?? [...hook.events, ...(change.add_events ?? [])];
    const dropped: readonly string[] = change.remove_events ?? [];
    const events = [...new Set(wanted)].filter((event) => !dropped.includes(event));
    const { url, secret, content_type } = change.config ?? {};
    await ctx.sql.write(() =>
      updateHook(ctx.sql, {
        ...hook,
        url: url ?? hook.url,
        // As on GitHub, a new configuration without a secret has none.
        secret: change.config === undefined ? hook.secret : (secret ?? null),
        content_type: content_type ?? hook.content_type,
        events,
        active: (change.active ?? hook.active === 1) ? 1 : 0,
        updated_ms: ctx.stamp(),
      }),
    );
    return hookJson(ctx, repo, known(ctx, repo, hook.id));
  });

  app.delete(`${path}/:id`, async (request, reply) => {
    const { repo } = adminAccess(ctx, request);
    const { id } = known(ctx, repo, idOf(request));
    await ctx.sql.write(() => deleteHook(ctx.sql, id));
    return reply.code(204).send();
  });

  app.post(`${path}/:id/pings`, async (request, reply) => {
    const { repo, viewer } = adminAccess(ctx, request);
    const hook = known(ctx, repo, idOf(request));
    await ctx.sql.write(() => ping(ctx, repo, viewer, hook));
    return reply.code(204).send();
  });

  deliveryRoutes(app, ctx, `${path}/:id/deliveries`);
}

function deliveryRoutes(app: FastifyInstance, ctx: ForgeContext, path: string): void {
  app.get(path, async (request, reply) => {
    const { repo } = adminAccess(ctx, request);
    const hook = known(ctx, repo, idOf(request));
    const page = pageOf(request);
    const { items, total } = listDeliveries(ctx.sql, hook.id, page);
    return sendPage(ctx, request, reply, page, { items: items.map(deliveryJson), total });
  });

  app.get(`${path}/:delivery`, async (request) => {
    const { hook, delivery } = knownDelivery(ctx, request);
    return {
      ...deliveryJson(delivery),
      url: hook.url,
      request: { payload: z.record(z.string(), z.json()).parse(JSON.parse(delivery.payload)) },
    };
  });

  app.post(`${path}/:delivery/attempts`, async (request, reply) => {
    const { hook, delivery } = knownDelivery(ctx, request);
    await ctx.sql.write(() => ctx.hooks.again(hook.id, delivery));
    return reply.code(202).send({});
  });
}

function adminAccess(ctx: ForgeContext, request: FastifyRequest): Access & { readonly viewer: User } {
  const viewer = requireViewer(request);
  const access = accessOf(ctx, request);
  if (!allows(access.permission, 'admin')) throw notFound();
  return { ...access, viewer };
}

function known(ctx: ForgeContext, repo: Repo, id: number): Hook {
  const hook = hookById(ctx.sql, repo.id, id);
  if (hook === undefined) throw notFound();
  return hook;
}

function knownDelivery(
  ctx: ForgeContext,
  request: FastifyRequest,
): { readonly hook: Hook; readonly delivery: Delivery } {
  const { repo } = adminAccess(ctx, request);
  const hook = known(ctx, repo, idOf(request));
  const wanted = z.object({ delivery: z.string().regex(/^\d{1,12}$/) }).safeParse(request.params);
  const delivery = wanted.success ? deliveryById(ctx.sql, hook.id, Number(wanted.data.delivery)) : undefined;
  if (delivery === undefined) throw notFound();
  return { hook, delivery };
}

/** GitHub refuses a second webhook that is the same. */
function refuseTwin(ctx: ForgeContext, repo: Repo, url: string, events: readonly string[]): void {
  const words = (list: readonly string[]): string => [...list].sort().join(' ');
  const twin = hooksOf(ctx.sql, repo.id).some(
    (hook) => hook.url === url && words(hook.events) === words(events),
  );
  if (!twin) return;
  throw refused({ resource: 'Hook', code: 'custom', message: 'Hook already exists on this repository' });
}

/** The first message of a webhook. Runs inside a transaction. */
function ping(ctx: ForgeContext, repo: Repo, viewer: User, hook: Hook): void {
  const payload = {
    zen: 'Polling finds what a message loses.',
    hook_id: hook.id,
    hook: hookJson(ctx, repo, hook),
    repository: repoJson(ctx, repo, null),
    sender: userJson(ctx, viewer),
  };
  ctx.hooks.add({ hook_id: hook.id, event: 'ping', action: null, payload });
}

/** A webhook in GitHub's shape: its secret is never shown. */
function hookJson(ctx: ForgeContext, repo: Repo, hook: Hook) {
  const url = `${repoUrl(ctx, repo)}/hooks/${hook.id}`;
  return {
    type: 'Repository',
    id: hook.id,
    name: 'web',
    active: hook.active === 1,
    events: hook.events,
    config: {
      content_type: hook.content_type,
      insecure_ssl: '0',
      url: hook.url,
      ...(hook.secret === null ? {} : { secret: '********' }),
    },
    updated_at: seconds(hook.updated_ms),
    created_at: seconds(hook.created_ms),
    url,
    ping_url: `${url}/pings`,
    deliveries_url: `${url}/deliveries`,
  };
}

function deliveryJson(delivery: Delivery) {
  return {
    id: delivery.id,
    guid: delivery.guid,
    delivered_at: seconds(delivery.settled_ms ?? delivery.created_ms),
    redelivery: delivery.redelivery === 1,
    status: delivery.outcome ?? 'pending',
    status_code: delivery.status_code ?? 0,
    event: delivery.event,
    action: delivery.action,
  };
}
