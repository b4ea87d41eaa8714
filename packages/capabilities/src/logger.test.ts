import { describe, expect, it } from 'vitest';

import { createLoggerTo } from './logger.ts';

function logged(fields: object, level?: string): string {
  const lines: string[] = [];
  const options = level === undefined ? { name: 'shell' } : { name: 'shell', level };
  createLoggerTo(options, { write: (line) => void lines.push(line) }).info(fields, 'it happened');
  return lines.join('');
}

describe('a logger', () => {
  it('O2 writes a JSON line with name, time, message and fields', () => {
    expect(JSON.parse(logged({ sprint_id: 's1' }))).toMatchObject({
      name: 'shell',
      level: 30,
      msg: 'it happened',
      sprint_id: 's1',
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  });

  it.each([
    { token: 'hunter2' },
    { agent: { token: 'hunter2' } },
    { request: { headers: { authorization: 'hunter2' } } },
    { headers: { 'x-caloron-token': 'hunter2' } },
    { 'x-api-key': 'hunter2' },
    { env: { password: 'hunter2' } },
  ])('O10 shows no secret in %j', (fields) => {
    expect(logged(fields)).not.toContain('hunter2');
  });

  it('says nothing below its level', () => {
    expect(logged({}, 'warn')).toBe('');
  });
});
