import { parseMarker } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fitBody, fitTitle } from './github-body.ts';
import { scriptedHost, SHA, wireIssue, wirePull, type ScriptedHost } from './testing/scripted-host.ts';

const line = '<!-- caloron:login-20260414:a -->';
const action = `<!-- caloron-action:${'0'.repeat(32)} -->`;

describe('a body', () => {
  it('that a host takes stays as it is', () => {
    for (const body of ['', 'short', 'x'.repeat(65_000)]) expect(fitBody(body) === body).toBe(true);
  });

  it('of a megabyte is cut, says so, and keeps the hidden lines it ends with', () => {
    const cut = fitBody(`${'é👍'.repeat(400_000)}\n\n${line}${action}\n`);

    expect(cut.length).toBeLessThanOrEqual(65_000);
    expect(cut.includes('too long')).toBe(true);
    expect(cut.isWellFormed()).toBe(true);
    expect(parseMarker(cut)).toEqual({ sprint_id: 'login-20260414', task_id: 'a' });
    expect(cut.trimEnd().endsWith(`${line}${action}`)).toBe(true);
  });

  it('takes no hidden line from its middle for one of its end', () => {
    const cut = fitBody(`${'a'.repeat(65_500)}${line} and more ${'b'.repeat(64_000)}`);

    expect(cut.includes(line)).toBe(false);
  });

  it('that is nothing but hidden lines is cut in time', () => {
    // Of the processor's time: how busy the machine is is no matter.
    const started = process.cpuUsage();

    expect(fitBody('<!-- caloron'.repeat(100_000)).length).toBeLessThanOrEqual(65_000);
    expect(fitBody(`${' '.repeat(500_000)}<!-- caloron`).length).toBeLessThanOrEqual(65_000);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });
});

describe('a title', () => {
  it('is one line of what a host takes', () => {
    expect(fitTitle(' Add\n a  form ')).toBe('Add a form');
    expect(fitTitle('👍'.repeat(200)).length).toBeLessThanOrEqual(255);
    expect(fitTitle('👍'.repeat(200)).isWellFormed()).toBe(true);
  });
});

describe('what is written', () => {
  let host: ScriptedHost;
  beforeEach(async () => {
    host = await scriptedHost();
  });
  afterEach(() => host.close());

  it('fits, whatever it is written in', async () => {
    const long = `${'x'.repeat(100_000)}\n${line}`;
    const at = '2026-04-14T08:00:00Z';
    const comment = { id: 1, body: '', user: null, issue_url: '/issues/3', created_at: at, updated_at: at };
    const review = { id: 1, state: 'COMMENTED', submitted_at: at };
    host.script({
      'POST /repos/acme/app/issues': { status: 201, json: wireIssue(3, at) },
      'POST /repos/acme/app/issues/3/comments': { status: 201, json: comment },
      'POST /repos/acme/app/pulls': { status: 201, json: wirePull(3) },
      'PATCH /repos/acme/app/pulls/3': { json: wirePull(3) },
      'POST /repos/acme/app/pulls/3/reviews': { json: review },
    });
    const repo = host.open();

    await repo.createIssue({ title: long, body: long, labels: [] });
    await repo.comment(3, long);
    await repo.createPull({ title: long, body: long, head: 'x', base: 'main' });
    await repo.updatePull(3, { body: long });
    await repo.updatePull(3, { state: 'closed' });
    await repo.review(3, { event: 'COMMENT', body: long, commit_id: SHA });

    const sent = host.requests.map(({ body }) => body as { title?: string; body?: string });
    expect(sent.map(({ body }) => body?.endsWith(line))).toEqual([true, true, true, true, undefined, true]);
    expect(Math.max(...sent.map(({ body = '' }) => body.length))).toBeLessThanOrEqual(65_000);
    expect(Math.max(...sent.map(({ title = '' }) => title.length))).toBeLessThanOrEqual(255);
  });
});
