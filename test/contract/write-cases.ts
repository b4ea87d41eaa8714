import { expect } from 'vitest';

import type { Case } from './case.ts';

/** Issues, labels and comments. */
export const WRITES = {
  'write: keeps every letter of a title and a body': async ({ alice }) => {
    const title = 'שלום 👩‍🔬 «עולם» — ünïcödé';
    const body = `# متن\n\n\`\`\`\n${'👾'.repeat(10_000)}\n\`\`\`\n<!-- caloron:v1 -->`;

    const { number } = await alice.createIssue({ title, body, labels: [] });

    expect(await alice.issue(number)).toMatchObject({
      title,
      body,
      author: 'alice',
      state: 'open',
      is_pull: false,
    });
  },

  'write: opens an issue with its labels': async ({ alice }) => {
    await alice.ensureLabel('caloron:task', { color: '0e8a16', description: 'a task' });
    await alice.ensureLabel('caloron:high');

    const { number } = await alice.createIssue({
      title: 'T',
      body: '',
      labels: ['caloron:task', 'caloron:high'],
    });

    const { labels } = await alice.issue(number);
    expect([...labels].sort()).toEqual(['caloron:high', 'caloron:task']);
  },

  'write: makes a label once, whoever made it': async ({ alice, bob, wire }) => {
    await alice.ensureLabel('caloron:once');
    wire.taken();

    await bob.ensureLabel('caloron:once');

    expect(wire.taken().map(({ method }) => method)).toEqual(['GET']);
  },

  'write: puts labels on and takes them off, and one that is not there is no error': async ({ alice }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });

    await alice.addLabels(number, ['caloron:on', 'caloron:off']);
    await alice.removeLabel(number, 'caloron:off');
    await alice.removeLabel(number, 'caloron:off');
    await alice.removeLabel(number, 'never/made');

    expect((await alice.issue(number)).labels).toEqual(['caloron:on']);
  },

  'write: finds the issues of a label, closed ones too, and none for a label nobody made': async (world) => {
    const { alice } = world;
    const open = await alice.createIssue({ title: 'O', body: '', labels: [] });
    const closed = await alice.createIssue({ title: 'C', body: '', labels: [] });
    await alice.addLabels(open.number, ['caloron:find']);
    await alice.addLabels(closed.number, ['caloron:find']);
    await alice.closeIssue(closed.number);

    const found = await alice.issuesWithLabel('caloron:find');

    expect(found.map(({ number }) => number).sort((a, b) => a - b)).toEqual([open.number, closed.number]);
    expect(await alice.issuesWithLabel('caloron:nobody-made-it')).toEqual([]);
  },

  'write: takes a label with a comma for one label': async ({ alice }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });
    const other = await alice.createIssue({ title: 'T', body: '', labels: [] });
    await alice.addLabels(number, ['one, two']);
    await alice.addLabels(other.number, ['one', 'two']);

    const found = await alice.issuesWithLabel('one, two');

    expect(found.map((issue) => issue.number)).toEqual([number]);
  },

  'write: lists the comments of an issue oldest first': async ({ alice, bob }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });
    const first = await alice.comment(number, 'first 🙂');
    const second = await bob.comment(number, 'second');

    const comments = await alice.comments(number);

    expect(comments.map(({ id, body, author, issue_number }) => [id, body, author, issue_number])).toEqual([
      [first.id, 'first 🙂', 'alice', number],
      [second.id, 'second', 'bob', number],
    ]);
  },

  'write: gives a comment another text, and keeps its id and its time': async ({ alice }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });
    const first = await alice.comment(number, 'first');
    await alice.comment(number, 'second');

    const edited = await alice.editComment(first.id, 'first, again');

    expect(edited).toMatchObject({
      id: first.id,
      issue_number: number,
      body: 'first, again',
      author: 'alice',
    });
    expect(edited.created_at).toBe(first.created_at);
    expect((await alice.comments(number)).map(({ body }) => body)).toEqual(['first, again', 'second']);
    await expect(alice.editComment(999_999, 'nothing')).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  },

  'write: closes an issue and opens it again': async ({ alice }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });

    await alice.closeIssue(number);
    const closed = await alice.issue(number);
    await alice.reopenIssue(number);

    expect(closed).toMatchObject({ state: 'closed', closed_at: expect.any(String) as unknown });
    expect(await alice.issue(number)).toMatchObject({ state: 'open', closed_at: null });
  },

  'write: has done once what it was asked though its answer was lost': async ({ alice, wire }) => {
    wire.loseAnswer('POST', '/issues');
    const issue = { title: 'Lost', body: 'its answer was lost', labels: [] };
    await expect(alice.createIssue(issue)).rejects.toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
    });
    const { items } = await alice.changedIssues(null);
    const made = items.filter(({ title }) => title === 'Lost');
    const number = made[0]?.number ?? 0;
    wire.loseAnswer('POST', `/issues/${String(number)}/comments`);
    await expect(alice.comment(number, 'lost')).rejects.toMatchObject({ code: 'FORGE_UNAVAILABLE' });

    expect(made).toHaveLength(1);
    expect((await alice.comments(number)).map(({ body }) => body)).toEqual(['lost']);
  },

  'write: comments on nothing that is not there': async ({ alice }) => {
    await expect(alice.comment(99_999, 'hello?')).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  },

  'write: lets a stranger comment, and change nothing': async ({ alice, mallory }) => {
    const { number } = await alice.createIssue({ title: 'T', body: '', labels: [] });
    await mallory.comment(number, 'may I?');
    const refused = await Promise.allSettled([
      mallory.addLabels(number, ['caloron:mine']),
      mallory.closeIssue(number),
    ]);

    for (const outcome of refused) {
      expect(outcome).toMatchObject({
        reason: { code: expect.stringMatching(/^FORGE_(FORBIDDEN|NOT_FOUND)$/) as unknown, retryable: false },
      });
    }
    expect(await alice.issue(number)).toMatchObject({ state: 'open', labels: [] });
  },
} satisfies Record<string, Case>;
