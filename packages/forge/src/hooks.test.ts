import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { signatureOf } from './hook-delivery.ts';
import { appRepo, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const at = { owner: 'alice', repo: 'app' } as const;
const SECRET = 'a secret of two';

interface Heard {
  readonly event: string;
  readonly action: string;
  readonly guid: string;
  readonly signature: string;
  readonly type: string;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A receiver of webhooks: `answers` are its next statuses, 202 when there is none. */
async function receiver() {
  const heard: Heard[] = [];
  const answers: number[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      const type = request.headers['content-type'] ?? '';
      const text = type === 'application/json' ? body : (new URLSearchParams(body).get('payload') ?? '');
      const json = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
      const header = (name: string): string => String(request.headers[name] ?? '');
      heard.push({
        event: header('x-github-event'),
        action: z.string().catch('').parse(json['action']),
        guid: header('x-github-delivery'),
        signature: header('x-hub-signature-256'),
        type,
        body,
        json,
      });
      const status = answers.shift() ?? 202;
      response.writeHead(status, { location: `${url}/elsewhere` }).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = z.object({ port: z.number() }).parse(server.address());
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    heard,
    answers,
    words: () => heard.map(({ event, action }) => (action === '' ? event : `${event}.${action}`)),
    stop: async () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const until = { timeout: 30_000, interval: 10 };

describe('webhooks', () => {
  let dir: string;
  let forge: TestForge;
  let clone: Clone;
  let target: Awaited<ReturnType<typeof receiver>>;
  beforeEach(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'forge-hooks-'));
    target = await receiver();
    forge = await testForge({ data: path.join(dir, 'data') });
    ({ clone } = await appRepo(forge));
  });
  afterEach(async () => {
    await forge.stop();
    await target.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const hookAt = async (url = target.url, content_type: 'json' | 'form' = 'json', events = ['*']) => {
    const config = { url, content_type, secret: SECRET };
    return (await forge.as('alice').repos.createWebhook({ ...at, config, events })).data;
  };
  const heardAll = async (...words: string[]) =>
    vi.waitFor(() => expect(target.words()).toEqual(words), until);

  it('tell of an issue and its comments, each signed and with an id of its own', async () => {
    await hookAt();
    const bob = forge.as('bob');
    const { number: issue_number } = (await bob.issues.create({ ...at, title: 'שלום 🎉', labels: ['a, b'] }))
      .data;
    const { data: comment } = await bob.issues.createComment({ ...at, issue_number, body: 'first' });
    await bob.issues.updateComment({ ...at, comment_id: comment.id, body: 'second' });
    await bob.issues.deleteComment({ ...at, comment_id: comment.id });
    await bob.issues.update({ ...at, issue_number, title: 'T', state: 'closed' });
    await bob.issues.update({ ...at, issue_number, state: 'open', labels: [] });

    await heardAll(
      'ping',
      'issues.labeled',
      'issues.opened',
      'issue_comment.created',
      'issue_comment.edited',
      'issue_comment.deleted',
      'issues.edited',
      'issues.closed',
      'issues.unlabeled',
      'issues.reopened',
    );
    const opened = target.heard[2]?.json;
    expect(opened).toMatchObject({
      issue: { number: issue_number, title: 'שלום 🎉', labels: [{ name: 'a, b' }] },
      repository: { full_name: 'alice/app' },
      sender: { login: 'bob' },
    });
    for (const { body, signature, guid } of target.heard) {
      expect(signature).toBe(signatureOf(SECRET, body));
      expect(guid).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(new Set(target.heard.map(({ guid }) => guid)).size).toBe(target.heard.length);
  });

  it('tell of a pull request from its opening to its merge, and of every push', async () => {
    await hookAt();
    const pull = await openPull(forge, clone, { branch: 'work', files: { 'w.txt': '1' } });
    const { number: pull_number } = pull;
    const head = await clone.commit({ 'w.txt': '2' }, 'more');
    await clone.push('work');
    await forge.as('alice').pulls.requestReviewers({ ...at, pull_number, reviewers: ['bob'] });
    const { data: review } = await forge
      .as('bob')
      .pulls.createReview({ ...at, pull_number, event: 'APPROVE' });
    await forge
      .as('alice')
      .pulls.dismissReview({ ...at, pull_number, review_id: review.id, message: 'again please' });
    await forge.as('alice').repos.createCommitStatus({ ...at, sha: head, state: 'success' });
    await forge.as('alice').checks.create({ ...at, head_sha: head, name: 'ci', conclusion: 'success' });
    const { data: merged } = await forge.as('alice').pulls.merge({ ...at, pull_number });

    await heardAll(
      'ping',
      'push',
      'pull_request.opened',
      'push',
      'pull_request.synchronize',
      'pull_request.review_requested',
      'pull_request_review.submitted',
      'pull_request_review.dismissed',
      'status',
      'check_run.created',
      'check_run.completed',
      'push',
      'pull_request.closed',
    );
    const json = (index: number) => target.heard[index]?.json;
    expect(json(1)).toMatchObject({
      ref: 'refs/heads/work',
      created: true,
      commits: [{ message: 'work on work' }],
    });
    expect(json(3)).toMatchObject({
      before: pull.head.sha,
      after: head,
      forced: false,
      pusher: { name: 'alice' },
    });
    expect(json(4)).toMatchObject({ number: pull_number, before: pull.head.sha, after: head });
    expect(json(6)).toMatchObject({ review: { state: 'approved', commit_id: head } });
    expect(json(8)).toMatchObject({ state: 'success', sha: head, name: 'alice/app' });
    expect(json(11)).toMatchObject({
      ref: 'refs/heads/main',
      after: merged.sha,
      head_commit: { id: merged.sha },
    });
    expect(json(12)).toMatchObject({ pull_request: { merged: true, merge_commit_sha: merged.sha } });
  });

  if (SLOW)
    it('say that a push was forced and that a branch is gone', async () => {
      await clone.git('checkout', '--quiet', '-B', 'side', 'origin/main');
      await clone.commit({ 's.txt': '1' });
      await clone.push('side');
      await hookAt(target.url, 'form', ['push']);
      await clone.git('commit', '--quiet', '--amend', '-m', 'other');
      await clone.push('--force', 'side');
      await clone.push('--delete', 'side');

      await heardAll('ping', 'push', 'push');
      expect(target.heard[1]).toMatchObject({
        type: 'application/x-www-form-urlencoded',
        json: { forced: true, deleted: false },
      });
      expect(target.heard[2]?.json).toMatchObject({ deleted: true, after: '0'.repeat(40) });
      expect(target.heard[2]?.signature).toBe(signatureOf(SECRET, target.heard[2]?.body ?? ''));
    });

  if (SLOW)
    it('are sent again under the same id when the receiver fails, and follow no redirect', async () => {
      target.answers.push(202, 500, 302);
      await hookAt();
      await forge.as('alice').issues.create({ ...at, title: 't' });

      await heardAll('ping', 'issues.opened', 'issues.opened', 'issues.opened');
      const [, first, second, third] = target.heard;
      expect(new Set([first?.guid, second?.guid, third?.guid]).size).toBe(1);
    });

  it('that were not sent before the forge ended are sent when it is back', async () => {
    const { port } = new URL(target.url);
    await hookAt();
    await heardAll('ping');
    await target.stop();
    await forge.as('alice').issues.create({ ...at, title: 'told late' });
    await forge.stop();
    target = await receiver();
    forge = await testForge({ data: path.join(dir, 'data') });
    const { data: hooks } = await forge.as('alice').repos.listWebhooks(at);
    await forge.as('alice').repos.updateWebhook({
      ...at,
      hook_id: hooks[0]?.id ?? 0,
      config: { url: target.url, content_type: 'json' },
    });

    await heardAll('issues.opened');
    expect(new URL(target.url).port).not.toBe(port);
  });

  it('are shown with their deliveries, and never with their secret', async () => {
    const hook = await hookAt();
    await heardAll('ping');
    const alice = forge.as('alice');

    const deliveries = await vi.waitFor(async () => {
      const { data } = await alice.repos.listWebhookDeliveries({ ...at, hook_id: hook.id });
      expect(data[0]).toMatchObject({ event: 'ping', status: 'OK', status_code: 202 });
      return data;
    }, until);
    const delivery_id = deliveries[0]?.id ?? 0;
    await alice.repos.redeliverWebhookDelivery({ ...at, hook_id: hook.id, delivery_id });
    await heardAll('ping', 'ping');
    expect(target.heard[1]?.guid).toBe(target.heard[0]?.guid);
    const all = [hook, (await alice.repos.listWebhooks(at)).data, target.heard];
    expect(JSON.stringify(all)).not.toContain(SECRET);
  });

  it('are changed, switched off and removed', async () => {
    const { id: hook_id } = await hookAt();
    const alice = forge.as('alice');
    await alice.repos.updateWebhook({ ...at, hook_id, events: ['issues'], add_events: ['push'] });
    const narrowed = await alice.repos.updateWebhook({ ...at, hook_id, remove_events: ['issues'] });
    await alice.issues.create({ ...at, title: 'not told' });
    await alice.repos.updateWebhook({ ...at, hook_id, active: false });
    await clone.push('main:quiet');
    await alice.repos.pingWebhook({ ...at, hook_id });

    await heardAll('ping', 'ping');
    expect(narrowed.data.events).toEqual([]);
    await alice.repos.deleteWebhook({ ...at, hook_id });
    await expect(alice.repos.getWebhook({ ...at, hook_id })).rejects.toMatchObject({ status: 404 });
  });

  it('are the business of admins alone, and name an address and events there are', async () => {
    const config = { url: target.url };

    await expect(forge.as('bob').repos.createWebhook({ ...at, config })).rejects.toMatchObject({
      status: 404,
    });
    await expect(forge.as('bob').repos.listWebhooks(at)).rejects.toMatchObject({ status: 404 });
    for (const wrong of [
      { config: { url: 'ftp://x/' } },
      { config: { url: 'no address' } },
      { config, events: ['gollum'] },
    ]) {
      await expect(forge.as('alice').repos.createWebhook({ ...at, ...wrong })).rejects.toMatchObject({
        status: 422,
      });
    }
    await hookAt();
    await expect(hookAt()).rejects.toMatchObject({ status: 422 });
  });
});
