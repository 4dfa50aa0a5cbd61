import type { ResourceState } from '../state.ts';
import { drbdPauseSync, drbdResumeSync } from '../volume-commands.ts';
import { volumeChange } from './volumes.ts';

/**
 * Pauses the resync of a resource on this host, now or as soon as one starts. The pause lasts until the
 * next boot.
 */
export const pauseSync = volumeChange({
  kind: 'drbd.sync.pause',
  words: 'has a paused resync',
  otherwise: 'still does not have a paused resync',
  isDone: isPaused,
  ...{ act: drbdPauseSync, undoAct: drbdResumeSync, whenDown: 'gone' },
});

/** Resumes the resync of a resource, if this host has paused it. */
export const resumeSync = volumeChange({
  kind: 'drbd.sync.resume',
  words: 'does not have a paused resync',
  otherwise: 'is still paused',
  isDone: (state, volume) => !isPaused(state, volume),
  ...{ act: drbdResumeSync, undoAct: drbdPauseSync, whenDown: 'not-ours' },
});

/** Whether this host has paused the resync (`user`); it cannot end the pauses `peer` and `dependency`. */
function isPaused({ connections }: ResourceState, volume: number): boolean {
  return connections.some(({ volumes }) =>
    volumes.some((each) => each.volume === volume && each.paused.includes('user')),
  );
}
