import { describe, expect, it } from 'vitest';

import {
  branchOf,
  cloneUrl,
  hostDir,
  Id,
  markerOf,
  minutesBetween,
  parseMarker,
  RepoName,
  slug,
  Timestamp,
  toTimestamp,
} from './index.ts';

describe('an id', () => {
  it.each(['../etc', 'A', '', 'x'.repeat(65), 'a;b', 'a/b', 'a b', '__proto__'])('is never %j', (text) => {
    expect(Id.safeParse(text).success).toBe(false);
  });

  it.each([
    ['Fix: login/logout now!', 'fix-login-logout-now'],
    ['Émile — naïve', 'emile-naive'],
    ['  ', 'task'],
    ['世界', 'task'],
    ['x'.repeat(80), 'x'.repeat(40)],
  ])('is made of %j', (text, id) => {
    expect(slug(text)).toBe(id);
    expect(Id.safeParse(slug(text)).success).toBe(true);
  });
});

describe('a repository', () => {
  it.each(['owner/name', 'O-1/n.a_me'])('is named %s', (name) => {
    expect(RepoName.parse(name)).toBe(name);
  });

  it.each(['owner', 'a/b/c', '../name', 'owner/..', 'owner/', 'https://x/y', 'a b/c'])(
    'is never named %j',
    (name) => {
      expect(RepoName.safeParse(name).success).toBe(false);
    },
  );

  it.each([
    [null, 'https://github.com/o/r.git', 'github.com'],
    ['https://api.github.com', 'https://github.com/o/r.git', 'github.com'],
    ['https://github.example.com/api/v3/', 'https://github.example.com/o/r.git', 'github.example.com'],
    ['https://gitea.example.com/api/v1', 'https://gitea.example.com/o/r.git', 'gitea.example.com'],
    ['http://127.0.0.1:4000', 'http://127.0.0.1:4000/o/r.git', '127.0.0.1-4000'],
  ])('on %s is cloned from its own host', (host, url, dir) => {
    expect(cloneUrl(host, 'o/r')).toBe(url);
    expect(hostDir(host)).toBe(dir);
  });
});

describe('a marker', () => {
  it('names the task it was made for, wherever it stands in a body', () => {
    expect(parseMarker(`text\n\n${markerOf('sprint-1', 'login')}\n`)).toEqual({
      sprint_id: 'sprint-1',
      task_id: 'login',
    });
    expect(branchOf('sprint-1', 'login')).toBe('caloron/sprint-1/login');
  });

  it.each(['', 'caloron:a:b', '<!-- caloron:A:b -->', '<!-- caloron:a:b:c -->'])(
    'is not found in %j',
    (body) => {
      expect(parseMarker(body)).toBeUndefined();
    },
  );
});

describe('a time', () => {
  it('is UTC with milliseconds, whatever zone it was read in', () => {
    expect(toTimestamp('2026-04-14T10:30:00+02:00')).toBe('2026-04-14T08:30:00.000Z');
    expect(toTimestamp('yesterday')).toBeUndefined();
    expect(Timestamp.safeParse('2026-04-14T08:30:00Z').success).toBe(false);
  });

  it('is minutes from another one', () => {
    expect(minutesBetween('2026-04-14T08:00:00.000Z', '2026-04-14T08:01:30.000Z')).toBe(1.5);
  });
});
