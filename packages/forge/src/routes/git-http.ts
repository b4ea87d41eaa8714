import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { codeOf, messageOf } from '@caloron/noether/errors';
import { gitStream, type GitStream } from '@caloron/capabilities/git';
import { z } from 'zod';
import { need, requireViewer, seeRepo, type Access } from '../auth.ts';
import type { ForgeContext } from '../context.ts';
import { LocalForgeError } from '../errors.ts';
import { readPushCommands } from '../git/push-commands.ts';
import { refusedPush } from '../git/push-report.ts';
import { keepsHistory, refusedMoves } from '../protection.ts';
import { afterPush } from '../sync.ts';

/** Most bytes of one push or fetch request, unpacked. */
const MAX_REQUEST_BYTES = 2_000_000_000;

const Service = z.enum(['git-upload-pack', 'git-receive-pack']);
type Service = z.infer<typeof Service>;

const Params = z.object({ owner: z.string(), repo: z.string() });

/** Git over HTTP (the smart protocol): `/:owner/:repo.git/info/refs`, `git-upload-pack`, `git-receive-pack`. */
export function gitHttpRoutes(app: FastifyInstance, ctx: ForgeContext): void {
  app.get('/:owner/:repo/info/refs', async (request, reply) => {
    const service = Service.safeParse(
      z.object({ service: z.unknown().optional() }).parse(request.query).service,
    );
    if (!service.success) {
      throw new LocalForgeError('LOCAL_FORGE_FORBIDDEN', { reason: 'Please upgrade your git client.' });
    }
    const access = gitAccess(ctx, request, service.data);
    return advertise(ctx, request, reply, access, service.data);
  });

  // Bodies of git are streams of their own kind: in this part of the server nothing is parsed.
  app.register(async (raw) => {
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    for (const service of Service.options) {
      raw.post(`/:owner/:repo/${service}`, async (request, reply) => {
        const access = gitAccess(ctx, request, service);
        if (request.headers['content-type'] !== `application/x-${service}-request`) {
          throw new LocalForgeError('LOCAL_FORGE_BODY_UNREADABLE', { reason: 'unexpected content type' });
        }
        return service === 'git-upload-pack'
          ? upload(ctx, request, reply, access)
          : receive(ctx, request, reply, access);
      });
    }
  });
}

/** The repository, when the request may fetch from it or push to it. */
function gitAccess(ctx: ForgeContext, request: FastifyRequest, service: Service): Access {
  const { owner, repo } = Params.parse(request.params);
  if (service === 'git-receive-pack') requireViewer(request);
  const access = seeRepo(ctx, request.viewer, owner, repo.replace(/\.git$/, ''));
  if (service === 'git-receive-pack') need(access, 'push');
  return access;
}

function start(
  ctx: ForgeContext,
  request: FastifyRequest,
  access: Access,
  args: readonly string[],
): GitStream {
  const protocol = request.headers['git-protocol'];
  const known =
    typeof protocol === 'string' && /^version=[012]$/.test(protocol) ? { GIT_PROTOCOL: protocol } : {};
  const git = gitStream([...args, ctx.gitDir(access.repo)], { env: known });
  git.stderr.resume();
  return git;
}

function answer(reply: FastifyReply, type: string): FastifyReply {
  return reply
    .type(type)
    .header('cache-control', 'no-cache, max-age=0, must-revalidate')
    .header('expires', 'Fri, 01 Jan 1980 00:00:00 GMT');
}

async function advertise(
  ctx: ForgeContext,
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
  service: Service,
): Promise<FastifyReply> {
  const line = `# service=${service}\n`;
  const head = `${(line.length + 4).toString(16).padStart(4, '0')}${line}0000`;
  const args = [service.slice('git-'.length), '--stateless-rpc', '--http-backend-info-refs'];
  const git = start(ctx, request, access, args);
  git.stdin.end();
  const { body, exitCode } = await collect(git);
  if (exitCode !== 0) throw new Error(`git ${args[0] ?? ''} ended with ${String(exitCode)}`);
  return answer(reply, `application/x-${service}-advertisement`).send(
    Buffer.concat([Buffer.from(head), body]),
  );
}

async function collect(git: GitStream): Promise<{ body: Buffer; exitCode: number | undefined }> {
  const chunks: Buffer[] = [];
  git.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const { exitCode } = await git;
  return { body: Buffer.concat(chunks), exitCode };
}

/** The request's bytes, unpacked when git packed them, and no more of them than allowed. */
function bodyOf(request: FastifyRequest): Readable {
  const raw = request.body instanceof Readable ? request.body : Readable.from([]);
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > MAX_REQUEST_BYTES) done(new Error('the request is too large'));
      else done(null, chunk);
    },
  });
  let bytes = 0;
  const packed = /^(?:x-)?gzip$/.test(request.headers['content-encoding'] ?? '');
  const parts = packed ? [raw, createGunzip(), counted] : [raw, counted];
  // Whoever reads `counted` sees the failure; a client that goes away is no fault of ours.
  pipeline(parts).catch(() => undefined);
  return counted;
}

/** Feeds a request to git. A client or a git that ends early is seen on the other side. */
async function feed(ctx: ForgeContext, body: Readable, git: GitStream): Promise<void> {
  try {
    await pipeline(body, git.stdin);
  } catch (error) {
    if (['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE'].includes(nodeCode(error))) return;
    ctx.warn({ error: messageOf(error), code: codeOf(error) }, 'a git request broke off');
  }
}

function nodeCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function upload(
  ctx: ForgeContext,
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
): FastifyReply {
  const git = start(ctx, request, access, ['upload-pack', '--stateless-rpc']);
  void feed(ctx, bodyOf(request), git);
  reply.raw.on('close', () => {
    if (!reply.raw.writableFinished) git.kill();
  });
  return answer(reply, 'application/x-git-upload-pack-result').send(git.stdout);
}

/**
 * A push. The answer is held back until the pull requests have followed, so that what its client asks next sees them.
 * Who is no admin may not rewrite the default branch; nobody may delete it. A push to a protected branch is refused whole.
 */
async function receive(
  ctx: ForgeContext,
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
): Promise<FastifyReply> {
  const viewer = requireViewer(request);
  const { repo } = access;
  const body = bodyOf(request);
  const push = await readPushCommands(body);
  if (push === undefined) throw new LocalForgeError('LOCAL_FORGE_BODY_UNREADABLE', { reason: 'not a push' });
  const reasons = await refusedMoves(ctx, repo, access.permission, push.commands);
  if (reasons.size > 0) {
    body.resume();
    const report = refusedPush(push.commands, reasons, push.capabilities);
    return answer(reply, 'application/x-git-receive-pack-result').send(report);
  }
  const guarded = keepsHistory(ctx, repo, access.permission, push.commands)
    ? ['-c', 'receive.denyNonFastForwards=true']
    : [];
  const git = start(ctx, request, access, [...guarded, 'receive-pack', '--stateless-rpc']);
  git.stdin.write(push.read);
  const fed = feed(ctx, body, git);
  const { body: report } = await collect(git);
  // The pipe is done or broken by now; a client that still sends is answered all the same.
  void fed;
  if (push.commands.length > 0) await ctx.alone(repo, () => afterPush(ctx, repo, viewer));
  return answer(reply, 'application/x-git-receive-pack-result').send(report);
}
