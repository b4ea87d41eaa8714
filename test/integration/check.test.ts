import { createHash } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { type Ended, environment, run, temporaryDirectory, writeText } from '../support/bins.ts';
import { ROOT } from '../support/tree.ts';

const Failure = z.object({
  ok: z.literal(false),
  error: z.looseObject({
    code: z.string(),
    problems: z.array(z.looseObject({ path: z.string(), code: z.string() })).optional(),
  }),
});

describe('what is known of a graph before it runs', () => {
  let dir: string;
  beforeEach(() => {
    dir = temporaryDirectory();
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const noether = (...args: readonly string[]): Promise<Ended> =>
    run('noether', args, { cwd: dir, env: environment() });
  const graph = (name: string, root: unknown): string => {
    writeText(join(dir, name), JSON.stringify({ description: name, version: '0.1.0', root }));
    return name;
  };
  const stage = (id: string, config?: unknown) => ({
    op: 'Stage',
    id,
    ...(config === undefined ? {} : { config }),
  });
  const good = (): string =>
    graph('good.json', {
      op: 'Let',
      bindings: { a: stage('clock_now'), b: stage('load_agents') },
      body: { op: 'Const', value: 1 },
    });
  const bad = (): string =>
    graph('bad.json', { op: 'Sequential', stages: [stage('clock_now'), stage('text_upper')] });

  it('are its types, effects, capabilities, plan and cost', async () => {
    const { code, stdout } = await noether('check', good());

    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^good\.json type-checks\n +composition +[0-9a-f]{64}\n +input +Record \{.*sprint_id: Text/,
    );
    expect(stdout).toMatch(/^ +effects +.*NonDeterministic/m);
    expect(stdout).toMatch(/^ +capabilities +clock, .*shell/m);
    expect(stdout).toMatch(/^ +cost +none declared$/m);
    expect(stdout).toMatch(/^ +0 +clock_now +NonDeterministic +root\.bindings\.a\n +1 +load_agents /m);
    expect(stdout).toMatch(/^ +at once: 0, 1$/m);
    expect(stdout).toMatch(/^ +root\.bindings\.a\n +takes .*\n +gives Record \{ now: Text \}$/m);
    expect(existsSync(join(dir, '.caloron'))).toBe(false);
  });

  it('are those of each of several graphs; one that is wrong refuses all, and names what is wrong with each', async () => {
    writeText(join(dir, 'torn.json'), '{\n  "description": "x",,\n}');
    const both = await noether('check', good(), join(ROOT, 'compositions/retro.json'));
    expect([both.code, both.stdout]).toEqual([
      0,
      expect.stringMatching(
        /good\.json type-checks[\s\S]*retro\.json type-checks[\s\S]*2 graphs type-check$/,
      ),
    ]);

    const { code, stderr } = await noether('check', 'torn.json', good(), bad());
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /2 of 3 graphs are refused:\n.*torn\.json .*line 2, column \d+.*\[GRAPH_INVALID\]\nbad\.json /,
    );
    expect(stderr).toMatch(/root\.stages\[1\]: .*Record \{ now: Text \}.*Text.*\[GRAPH_TYPE_MISMATCH\]/);
  });

  it('are problems with their place, what was expected and what came, for programs', async () => {
    const { code, stdout } = await noether('check', bad(), '--output', 'json');
    const { error } = Failure.parse(JSON.parse(stdout));

    expect([code, error.code]).toEqual([2, 'GRAPH_TYPE_MISMATCH']);
    expect(error.problems).toMatchObject([
      { path: 'root.stages[1]', expected: 'Text', actual: 'Record { now: Text }' },
    ]);
  });

  it('are the nearest stage for a name nobody has', async () => {
    const { code, stderr } = await noether('check', graph('typo.json', stage('text_uper')));

    expect([code, stderr]).toEqual([2, expect.stringMatching(/root: .*text_uper.*did you mean text_upper/)]);
  });

  it('are whether it may run under limits, and what would grant it', async () => {
    const { code, stderr } = await noether('check', good(), '--allow-effects', 'pure');

    expect(code).toBe(2);
    expect(stderr).toMatch(
      /good\.json may not run: [\s\S]*GRAPH_POLICY_REFUSED[\s\S]*next: grant it with --allow-effects/,
    );
  });

  it('are a drawing, its canonical text, and its id, which is the hash of that', async () => {
    const mermaid = await noether('graph', good(), '--mermaid');
    expect(mermaid.stdout).toMatch(/^flowchart TD\n[\s\S]*\["clock_now"\]/);

    const [canonical, id, written] = await Promise.all([
      noether('graph', good(), '--canonical'),
      noether('graph', good(), '--id'),
      noether('graph', good()),
    ]);
    expect(createHash('sha256').update(canonical.stdout).digest('hex')).toBe(id.stdout);
    expect(JSON.parse(written.stdout)).toMatchObject({
      root: { op: 'Let', bindings: { a: { id: 'clock_now' } } },
    });
    expect((await noether('graph', good(), '--id', '--mermaid')).code).toBe(1);
  });
});
