import { describe, expect, it } from 'vitest';

import { createLiveSecrets } from './live-secrets.ts';

describe('secrets that are learned', () => {
  it('are hidden by runs that go on and by those that begin later, and by none that has ended', async () => {
    const live = createLiveSecrets();
    let ended: readonly string[] = [];
    await live.during(['known'], async (secrets) => {
      ended = secrets;
      live.learn('made');
      live.learn('made');
      expect(secrets).toEqual(['known', 'made']);
    });

    await live.during([], async (secrets) => expect(secrets).toEqual(['made']));
    live.learn('later');
    expect(ended).toEqual(['known', 'made']);
  });

  it('are the newest hundred, and a run that fails keeps no list', async () => {
    const live = createLiveSecrets();
    await expect(live.during([], () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    for (let i = 0; i < 150; i += 1) live.learn(`secret-${i}`);

    await live.during([], async (secrets) => {
      expect([secrets.length, secrets[0], secrets.at(-1)]).toEqual([100, 'secret-50', 'secret-149']);
    });
  });
});
