import { describe, expect, it } from 'vitest';

import { dagIsComplete } from './is_complete.ts';
import { dagValidate } from './validate.ts';

const problems = (dag: Parameters<typeof dagValidate.call>[0]['dag']) => dagValidate.call({ dag }, {}).errors;

describe('dag_validate', () => {
  it.each([
    [
      'a reviewer that is no id',
      { tasks: { a: { agent_id: 'agent-1', reviewer_id: 'Bob!' } } },
      "Task 'a': reviewer 'Bob!' is no id: a-z, 0-9, _ and -, at most 64 characters",
    ],
    [
      'an agent that reviews itself',
      { tasks: { a: { agent_id: 'x', reviewer_id: 'x' } } },
      "Task 'a' is reviewed by its own agent 'x'",
    ],
    [
      'a dependency named twice',
      { tasks: { a: { agent_id: 'x' }, b: { agent_id: 'x', depends_on: ['a', 'a'] } } },
      "Task 'b' names dependency 'a' twice",
    ],
    [
      'an order that names a task twice',
      { order: ['a', 'a'], tasks: { a: { agent_id: 'x' } } },
      "The order names task 'a' twice",
    ],
    [
      'an order that names no task',
      { order: ['a', 'b'], tasks: { a: { agent_id: 'x' } } },
      "The order names unknown task 'b'",
    ],
    [
      'an order that leaves one out',
      { order: [], tasks: { a: { agent_id: 'x' } } },
      "The order leaves out task 'a'",
    ],
  ])('names %s', (_, dag, problem) => {
    expect(problems(dag)).toEqual([problem]);
  });

  it('finds a dependency that only objects have by birth', () => {
    expect(problems({ tasks: { a: { agent_id: 'x', depends_on: ['constructor'] } } })).toEqual([
      "Task 'a' depends on unknown task 'constructor'",
    ]);
  });
});

describe('dag_is_complete', () => {
  it.each(['Blocked', 'HumanAssigned', 'Pending', 'done', null])('counts %j as open', (status) => {
    expect(
      dagIsComplete.call({ state: { tasks: { a: { status }, b: { status: 'Done' } } } }, {}).complete,
    ).toBe(false);
  });
});
