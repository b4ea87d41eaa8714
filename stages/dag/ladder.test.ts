import type { Event, Exit } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { action } from '../sprint/action-id.ts';
import { Drive, event, pull, report, sha } from '../testing/drive.ts';
import { exampleState, exampleTask } from './example.ts';

/** A task that is worked on as p1. */
function running(): Drive {
  const a = exampleTask('a', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p1' });
  return new Drive(exampleState([{ ...a, base_sha: sha('0') }]));
}

function stoppedExit(drive: Drive, sentence = 'stalled: no progress for 41 minutes'): Exit {
  const cause = { class: 'stopped', until: null, provider: null, sentence } as const;
  return { code: 1, signal: null, at: drive.now, known: true, cause };
}

function exited(process_id: string, exit: Exit): Event {
  return event({
    type: 'agent_exited',
    event_id: `exit:${process_id}`,
    process_id,
    task_id: 'a',
    role: 'author',
    exit,
  });
}

function supervised(drive: Drive, what: 'restart' | 'reassign', more: object = {}): Event {
  const intended = action('supervisor', {
    cause: `0:${drive.outbox.length}`,
    sprint_id: drive.state.sprint_id,
    task_id: 'a',
    agent_id: 'agent-1',
    action: what,
    process_id: 'p1',
    reason: 'no progress for 41 minutes',
    message: '',
    ...(what === 'reassign' ? { to: 'agent-2' } : {}),
  });
  const result = { process_id: 'p1', wip_ref: 'refs/caloron/wip/s/a/1', tail: 'compiling\n', ...more };
  return event({
    type: 'action_succeeded',
    event_id: `done:${intended.action_id}`,
    action: intended,
    result,
  });
}

const late = (process_id: string, head: string, attempt: number): Event =>
  report({ process_id, attempt, outcome: 'completed', head_sha: sha(head), pr_number: 7 });

describe('a run that was stopped', () => {
  it('D19 is no failed attempt: it goes on after a pause', () => {
    const drive = running();
    drive.log(exited('p1', stoppedExit(drive, 'emergency stop')));
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      failed_attempts: 0,
      stops: 1,
      status_reason: 'stopped: emergency stop',
    });
    expect(drive.later().map(({ type }) => type)).toContain('spawn_agent');
  });

  it('D19 is for a person after the tenth in a row', () => {
    const drive = running();
    for (let n = 1; n <= 10; n += 1) {
      drive.log(exited(`p${n}`, stoppedExit(drive)));
      drive.later();
      if (n < 10) drive.succeed('spawn_agent', { process_id: `p${n + 1}` });
    }
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'stopped_often' });
    const asked = drive.latest('escalate');
    expect(asked.type === 'escalate' && asked.message).toMatch(/: attempts 10, review cycles 0\.$/m);
  });

  it('by supervision starts at once again, and its successor is told what was seen and where the work is', () => {
    const drive = running();
    const fresh = drive.log(exited('p1', stoppedExit(drive)), supervised(drive, 'restart'));
    const spawn = fresh.find(({ type }) => type === 'spawn_agent');
    expect(spawn).toMatchObject({ agent_id: 'agent-1', mode: 'resume', attempt: 2 });
    const instruction = spawn?.type === 'spawn_agent' ? spawn.instruction : null;
    expect(instruction).toMatch(/no progress for 41 minutes[^]*refs\/caloron\/wip\/s\/a\/1[^]*> compiling/);
    expect(drive.task().failed_attempts).toBe(0);
  });

  it('to give its task to another goes on as that agent, on the same branch', () => {
    const drive = running();
    const { branch } = drive.task();
    const fresh = drive.log(exited('p1', stoppedExit(drive)), supervised(drive, 'reassign'));
    expect(fresh.find(({ type }) => type === 'spawn_agent')).toMatchObject({
      agent_id: 'agent-2',
      attempt: 2,
    });
    expect(drive.task()).toMatchObject({ agent_id: 'agent-2', branch });
  });

  it('again and again tells of the last time why', () => {
    const drive = running();
    drive.log(exited('p1', stoppedExit(drive)), supervised(drive, 'restart'));
    expect(drive.task().status_reason).toBe('restart: no progress for 41 minutes');
    drive.succeed('spawn_agent', { process_id: 'p2' });
    const again = { process_id: 'p2' };
    drive.log(exited('p2', stoppedExit(drive)), supervised(drive, 'reassign', again));
    expect(drive.task()).toMatchObject({
      status_reason: 'reassign: no progress for 41 minutes',
      agent_id: 'agent-2',
    });
  });

  it('that had ended by itself is of whom was started for it since', () => {
    const drive = running();
    drive.log(exited('p1', { ...stoppedExit(drive), known: false }));
    drive.later();
    const started = event({
      type: 'action_succeeded',
      event_id: 'started',
      action: drive.latest('spawn_agent'),
      result: { process_id: 'p2' },
    });
    drive.log(supervised(drive, 'reassign', { already: true }), started);
    expect(drive.task()).toMatchObject({ agent_id: 'agent-1', process_id: 'p2' });
    const done = { process_id: 'p2', attempt: 2, head_sha: sha('a'), pr_number: 7 };
    drive.log(report(done));
    expect(drive.task().status).toBe('InReview');
  });

  it('G1 keeps its process and its agent where the verdict was taken back', () => {
    const drive = running();
    drive.log(supervised(drive, 'reassign', { taken_back: 'it got on' }));
    expect(drive.task()).toMatchObject({ agent_id: 'agent-1', process_id: 'p1', status: 'InProgress' });
  });
});

describe('a late report of finished work', () => {
  it('G1 is taken when nobody else has the task', () => {
    const drive = running();
    drive.log(exited('p1', { ...stoppedExit(drive), known: false }));
    drive.log(late('p1', 'a', 1));
    expect(drive.task()).toMatchObject({ status: 'InReview', head_sha: sha('a'), pr_number: 7 });
  });

  function replaced(): Drive {
    const drive = running();
    drive.log(exited('p1', stoppedExit(drive)), supervised(drive, 'restart'));
    drive.succeed('spawn_agent', { process_id: 'p2' });
    return drive;
  }

  it('G1 is offered, and said on the issue once, when a successor works', () => {
    const drive = replaced();
    const fresh = [...drive.log(late('p1', 'a', 1)), ...drive.log(late('p1', 'a', 1))];
    expect(fresh.map(({ type }) => type)).toEqual(['notify_agent']);
    expect(fresh[0]).toMatchObject({ message: expect.stringMatching(/#7[^]*`adopt`/) });
    expect(drive.task()).toMatchObject({
      status: 'InProgress',
      process_id: 'p2',
      offers: [{ process_id: 'p1', head_sha: sha('a'), pr_number: 7 }],
    });
  });

  it.each([undefined, 'p1'])(
    'G1 is taken by the word of a person (process %s): the successor stops',
    (process_id) => {
      const drive = replaced();
      drive.log(late('p1', 'a', 1));
      const named = process_id === undefined ? {} : { process_id };
      const fresh = drive.log(event({ type: 'human_command', task_id: 'a', word: 'adopt', ...named }));
      expect(fresh).toContainEqual(expect.objectContaining({ type: 'stop_agent', process_id: 'p2' }));
      expect(drive.task()).toMatchObject({
        status: 'InReview',
        head_sha: sha('a'),
        process_id: null,
        offers: [],
      });
    },
  );

  it('that the poll has brought into review is reviewed anew when a person takes it', () => {
    const drive = running();
    drive.log(exited('p1', { code: null, signal: null, at: drive.now, known: false }));
    drive.later();
    drive.succeed('spawn_agent', { process_id: 'p2' });
    drive.log(late('p1', 'a', 1));
    drive.forge(pull('pr_opened'));
    expect(drive.task()).toMatchObject({ status: 'InReview', head_sha: sha('a') });
    drive.succeed('spawn_agent', { process_id: 'r1' });
    const fresh = drive.log(event({ type: 'human_command', task_id: 'a', word: 'adopt' }));
    expect(fresh).toContainEqual(expect.objectContaining({ type: 'stop_agent', process_id: 'r1' }));
    expect(fresh).toContainEqual(expect.objectContaining({ type: 'spawn_agent', role: 'reviewer' }));
  });

  it('is nothing to take where none was offered', () => {
    const drive = replaced();
    const before = drive.task();
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'adopt' }));
    drive.log(report({ process_id: 'p1', attempt: 1, outcome: 'failed', head_sha: null, pr_number: null }));
    const { status, process_id, head_sha, agent_id } = before;
    expect(drive.task()).toMatchObject({ status, process_id, head_sha, agent_id });
  });
});
