import { describe, expect, it } from 'vitest';

import type { Service } from '../services.ts';
import { findStanding } from './up.ts';

const service = (name: string): Service => ({ name, pid: 7, url: 'http://127.0.0.1:1', log: '/log' });
const [shell, scheduler, forge] = ['caloron-shell', 'noether-scheduler', 'caloron-forge'].map(service) as [
  Service,
  Service,
  Service,
];

describe('what runs when a home is brought up', () => {
  it('is refused when nothing is missing', () => {
    expect(() => findStanding('/home', [shell, scheduler])).toThrow(
      expect.objectContaining({ code: 'CLI_ALREADY_UP', hint: expect.stringContaining('caloron down') }),
    );
  });

  it.each([
    ['nothing', [], { kept: [], ended: [] }],
    ['a shell that lives goes on beside a new scheduler', [shell], { kept: [shell], ended: [] }],
    ['a scheduler starts anew with the shell it lost', [scheduler], { kept: [], ended: [scheduler] }],
    ['a forge is left alone', [forge, scheduler], { kept: [forge], ended: [scheduler] }],
  ] as const)('%s', (_name, known, found) => {
    expect(findStanding('/home', known)).toEqual(found);
  });
});
