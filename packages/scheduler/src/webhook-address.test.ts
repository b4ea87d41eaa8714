import type { LookupAddress } from 'node:dns';

import { describe, expect, it } from 'vitest';

import { createAddressRule } from './webhook-address.ts';

const addresses = (...all: readonly string[]): readonly LookupAddress[] =>
  all.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

/** What a name that has these addresses may be connected to under a rule; the code of the refusal else. */
function connected(
  allow: readonly string[],
  found: readonly LookupAddress[],
  host = 'hooks.example.com',
): Promise<unknown> {
  const rule = createAddressRule(allow, (_host, done) => done(null, found));
  return new Promise((resolve) =>
    rule.lookup(host, { all: true }, (error, given) =>
      resolve(
        error === null
          ? (given as readonly LookupAddress[]).map(({ address }) => address)
          : (error as { code?: string }).code,
      ),
    ),
  );
}

describe('the addresses webhooks may go to', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'carrierGradeNat'],
    ['169.254.169.254', 'linkLocal'],
    ['0.0.0.0', 'unspecified'],
    ['255.255.255.255', 'broadcast'],
    ['224.0.0.1', 'multicast'],
    ['198.18.0.1', 'reserved'],
    ['[::1]', 'loopback'],
    ['[::]', 'unspecified'],
    ['[::ffff:127.0.0.1]', 'loopback'],
    ['[::ffff:a9fe:a9fe]', 'linkLocal'],
    ['[fe80::1]', 'linkLocal'],
    ['[fd00::1]', 'uniqueLocal'],
    ['[64:ff9b::7f00:1]', 'rfc6052'],
    ['[2002:7f00:1::]', '6to4'],
  ])('are not %s, which is %s, however it is written', async (host, range) => {
    const address = host.replace(/^\[|\]$/g, '');
    const refusal = expect.objectContaining({
      code: 'WEBHOOK_ADDRESS_REFUSED',
      details: { host: address, address, range },
    }) as Error;
    expect(() => createAddressRule([]).check(host)).toThrow(refusal);
    expect(await connected([], addresses(address))).toBe('WEBHOOK_ADDRESS_REFUSED');
  });

  it('are those of the internet', async () => {
    for (const host of ['93.184.216.34', '[2606:4700::1111]'])
      expect(() => createAddressRule([]).check(host)).not.toThrow();
    expect(await connected([], addresses('93.184.216.34', '2606:4700::1111'))).toEqual([
      '93.184.216.34',
      '2606:4700::1111',
    ]);
  });

  it('are, of a name that has both, the permitted ones alone', async () => {
    expect(await connected([], addresses('127.0.0.1', '93.184.216.34', '::1'))).toEqual(['93.184.216.34']);
  });

  it('are the permitted ones also for who asks for one address', async () => {
    const both = addresses('127.0.0.1', '93.184.216.34');
    const rule = createAddressRule([], (_host, done) => done(null, both));
    const found = await new Promise((resolve) => {
      rule.lookup('a.example.com', { all: false }, (_error, address) => resolve(address));
    });
    expect(found).toBe('93.184.216.34');
  });

  it('are also what an operator lists: an address, a network, or a host wherever it is', async () => {
    expect(await connected(['10.0.0.0/8'], addresses('10.9.9.9'))).toEqual(['10.9.9.9']);
    expect(await connected(['10.0.0.0/8'], addresses('11.9.9.9', '192.168.0.1'))).toEqual(['11.9.9.9']);
    expect(await connected(['127.0.0.1'], addresses('127.0.0.1'))).toEqual(['127.0.0.1']);
    expect(await connected(['127.0.0.1'], addresses('127.0.0.2'))).toBe('WEBHOOK_ADDRESS_REFUSED');
    expect(await connected(['[::1]', 'fd00::/8'], addresses('::1', 'fd00::7'))).toEqual(['::1', 'fd00::7']);
    expect(await connected(['Hooks.Example.com'], addresses('10.0.0.1'))).toEqual(['10.0.0.1']);
    expect(await connected(['other.example.com'], addresses('10.0.0.1'))).toBe('WEBHOOK_ADDRESS_REFUSED');
  });

  it('are asked for once by all who ask at the same time, and again by who asks later', async () => {
    const answers: (() => void)[] = [];
    const hosts: string[] = [];
    const rule = createAddressRule([], (host, done) => {
      hosts.push(host);
      answers.push(() => done(null, addresses(hosts.length > 2 ? '127.0.0.1' : '93.184.216.34')));
    });
    const ask = (host: string): Promise<string | null> =>
      new Promise((resolve) => {
        rule.lookup(host, { all: false }, (error, address) =>
          resolve(error === null && typeof address === 'string' ? address : null),
        );
      });
    const asked = [ask('a.example.com'), ask('a.example.com'), ask('b.example.com')];
    expect(hosts).toEqual(['a.example.com', 'b.example.com']);
    for (const answer of answers.splice(0)) answer();
    expect(await Promise.all(asked)).toEqual(['93.184.216.34', '93.184.216.34', '93.184.216.34']);

    const later = ask('a.example.com');
    for (const answer of answers.splice(0)) answer();
    expect(await later).toBe(null);
  });

  it('are none for a name that has no address', async () => {
    expect(await connected([], [])).toBe('WEBHOOK_ADDRESS_REFUSED');
  });
});
