import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Case } from './case.ts';
import { type CaseName, CASES } from './cases.ts';
import { emulatedGitHub } from './emulated.ts';
import { scriptedGitea } from './gitea.ts';
import type { ContractWorld } from './host.ts';
import { localForge } from './local.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const all = Object.entries(CASES) as readonly (readonly [CaseName, Case])[];

describe.each([localForge, emulatedGitHub, scriptedGitea])('the contract on $name', (host) => {
  const { brief = () => true } = host;
  const cases = all.filter(([name]) => SLOW || brief(name));
  let world: ContractWorld;
  beforeAll(async () => {
    world = await host.start();
  });
  afterAll(() => world.close());

  const told: Readonly<Record<string, string>> = host.lacks;
  it.each(cases.filter(([name]) => told[name] === undefined))('%s', (_, act) => act(world));

  const lacking = cases.filter(([name]) => told[name] !== undefined);
  if (lacking.length > 0) {
    it.each(lacking)('lacks “%s”', async (name, act) => {
      const outcome = await act(world).then(
        () => 'it does this now: take it off the list of what it lacks',
        () => 'fails',
      );

      expect(outcome, told[name]).toBe('fails');
    });
  }
});
