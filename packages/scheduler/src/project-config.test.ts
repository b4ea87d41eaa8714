import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { SchedulerError } from './errors.ts';
import { readProjectConfig } from './project-config.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-project-config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What reading a caloron.json of these fields says against it; they are text, for JSON writes no NaN. */
function problemsOf(fields: string): readonly string[] {
  const path = join(dir, 'caloron.json');
  writeFileSync(path, `{${fields}}`);
  try {
    readProjectConfig(path);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(SchedulerError);
    expect(error).toMatchObject({ code: 'PROJECT_CONFIG_INVALID', details: { path } });
    return (error as { details: { problems: string[] } }).details.problems;
  }
}

const of = (scope: string, limit: string): string => `"budget": {"${scope}": ${limit}}`;
const price = (fields: string): string => `"prices": {"m.1": ${fields}}`;

describe('limits and prices of caloron.json', () => {
  it('are taken where they are numbers that can be meant', () => {
    const limits = '{"tokens": 1, "cost_usd": 0.000001, "minutes": 0.001}';
    const scopes = ['agent', 'task', 'sprint'].map((scope) => `"${scope}": ${limits}`).join(', ');
    const prices = '"prices": {"m": {"input": 0, "output": 1e4}, "default": {"input": 0, "output": 0}}';
    expect(problemsOf(`"budget": {${scopes}}, ${prices}`)).toEqual([]);
    expect(problemsOf('"budget": {}, "prices": {}')).toEqual([]);
  });

  it.each([
    [of('agent', '{"tokens": -5}'), 'budget.agent.tokens: Too small: expected number to be >0'],
    [of('task', '{"tokens": 0}'), 'budget.task.tokens: Too small: expected number to be >0'],
    [of('sprint', '{"tokens": 1.5}'), 'budget.sprint.tokens: Invalid input: expected int, received number'],
    [
      of('agent', '{"tokens": "many"}'),
      'budget.agent.tokens: Invalid input: expected number, received string',
    ],
    [of('agent', '{"tokens": 1e13}'), 'budget.agent.tokens: Too big: expected number to be <=1000000000000'],
    [of('agent', '{"minutes": 0}'), 'budget.agent.minutes: Too small: expected number to be >=0.001'],
    [of('task', '{"minutes": -1}'), 'budget.task.minutes: Too small: expected number to be >=0.001'],
    [
      of('task', '{"minutes": 1e999}'),
      'budget.task.minutes: Invalid input: expected number, received Infinity',
    ],
    [of('sprint', '{"cost_usd": 0}'), 'budget.sprint.cost_usd: Too small: expected number to be >=0.000001'],
    [
      of('sprint', '{"cost_usd": null}'),
      'budget.sprint.cost_usd: Invalid input: expected number, received null',
    ],
    [of('agent', '{"token": 5}'), 'budget.agent: there is no field "token"; did you mean "tokens"?'],
    [of('agent', '5'), 'budget.agent: Invalid input: expected object, received number'],
    [of('agents', '{}'), 'budget: there is no field "agents"; did you mean "agent"?'],
    [price('{"input": 1}'), 'prices.m.1.output: Invalid input: expected number, received undefined'],
    [price('{"input": -1, "output": 1}'), 'prices.m.1.input: Too small: expected number to be >=0'],
    [price('{"input": 1, "output": 10001}'), 'prices.m.1.output: Too big: expected number to be <=10000'],
    [
      price('{"input": 1, "output": 1, "cached": 1}'),
      'prices.m.1: there is no field "cached"; known are input, output, cache_read, cache_write',
    ],
    [price('3'), 'prices.m.1: Invalid input: expected object, received number'],
  ])('%s is refused by its place', (fields, problem) => {
    expect(problemsOf(fields)).toEqual([problem]);
  });

  it('that are no JSON are refused, and all problems are told at once', () => {
    expect(problemsOf(of('agent', '{"tokens": NaN}'))[0]).toMatch(/NaN|JSON/);
    expect(
      problemsOf(`${of('agent', '{"tokens": 0, "minutes": 0}')}, ${price('{"input": 1}')}`),
    ).toHaveLength(3);
  });

  it.each(['agent', 'task', 'sprint'])('money of %s without a price for every model is refused', (scope) => {
    const money = of(scope, '{"cost_usd": 5}');
    const problem = 'budget: a limit in cost_usd needs a price for every model: add "default" to prices';
    expect(problemsOf(money)).toEqual([problem]);
    expect(problemsOf(`${money}, ${price('{"input": 1, "output": 1}')}`)).toEqual([problem]);
    expect(problemsOf(`${money}, "prices": {"default": {"input": 1, "output": 1}}`)).toEqual([]);
  });
});

describe('fields of caloron.json that mean nothing', () => {
  it.each([
    ['"capcity": {"host": 1}', 'the file: there is no field "capcity"; did you mean "capacity"?'],
    [
      '"require_receipts": true',
      'the file: there is no field "require_receipts"; did you mean "require_receipt"?',
    ],
    ['"constructor": 1', /^the file: there is no field "constructor"; known are repo, host, /],
    [
      '"capacity": {"min_memory": 5}',
      'capacity: there is no field "min_memory"; did you mean "min_memory_mb"?',
    ],
    [
      '"workspace": {"hooks": {"after_creat": ["x"]}}',
      'workspace.hooks: there is no field "after_creat"; did you mean "after_create"?',
    ],
    ['"framework": "claude"', 'framework: there is no framework "claude"; did you mean "claude-code"?'],
    ['"framework": "Codex"', /^framework: there is no framework "Codex"; (did you mean|known are) /],
    [
      '"capacity": {"frameworks": {"stubb": 1}}',
      'capacity.frameworks: there is no framework "stubb"; did you mean "stub"?',
    ],
    [
      '"framework": "open-code", "framework_options": {"modle": "x"}',
      'framework_options: open-code has no option "modle"; did you mean "model"?',
    ],
    [
      '"framework": "codex-cli", "framework_options": {"max_turns": "5"}',
      /^framework_options: codex-cli has no option "max_turns"; known are model, provider, /,
    ],
    [
      '"verify": "npm test"',
      'verify: expected a list of commands, each a list of words, as [["npm", "test"]]',
    ],
    ['"verify": ["npm test"]', 'verify.0: expected a command as a list of words, as ["npm", "test"]'],
    [
      '"workspace": {"hooks": {"before_run": "npm ci"}}',
      'workspace.hooks.before_run: expected a command as a list of words, as ["npm", "ci"]',
    ],
    ['"repo": ', /^this is no JSON: /],
  ])('%s is refused with what was meant', (fields, problem) => {
    expect(problemsOf(fields)).toEqual([
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    ]);
  });

  it('leave the options of every framework alone', () => {
    for (const [framework, option] of [
      ['claude-code', 'max_turns'],
      ['acp', 'allow'],
      ['stub', 'script_dir'],
      ['command', 'command'],
      ['aider', 'silence_ms'],
    ])
      expect(problemsOf(`"framework": "${framework}", "framework_options": {"${option}": "1"}`)).toEqual([]);
  });
});

describe('the host of caloron.json', () => {
  it.each(['null', '"https://git.example.org/api/v1/"', '"http://127.0.0.1:7720"'])('may be %s', (host) => {
    expect(problemsOf(`"host": ${host}`)).toEqual([]);
  });

  it.each(['"github"', '"ftp://git.example.org"', '"https://github.com"'])('cannot be %s', (host) => {
    expect(problemsOf(`"host": ${host}`)).toEqual([
      expect.stringMatching(/^host: .* is no API address of a forge: .*expected something like https:/),
    ]);
  });

  it('shows no credential that stands in it', () => {
    expect(problemsOf('"host": "https://ada:ghp_secret@git.example.org"').join()).not.toContain('ghp_secret');
  });
});
