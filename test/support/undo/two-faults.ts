import { isWhole } from '../sampled.ts';
import type { Trouble } from './two-hosts.ts';

const restart = { then: 'restart' } as const;
/** Everything that goes wrong between two hosts, in words. */
export const faults: Readonly<Record<string, Omit<Trouble, 'at' | 'ends'>>> = {
  'fails there at once': { fault: 'fails there', ...restart },
  'acts there, then fails': { fault: 'acts there, then fails', ...restart },
  'the link is cut before': { fault: 'cut before', ...restart },
  'the link is cut after, the answer is lost': { fault: 'cut after', ...restart },
  'the same, and the power of the coordinator fails': { fault: 'cut after', then: 'power cut, none' },
  'the link is cut while the program runs on': { fault: 'cut while it runs', ...restart },
  'the replication is cut, and nothing else': { fault: 'replication cut', ...restart },
  'the power of the other host fails before': { fault: 'power cut there before', keep: 'none', ...restart },
  'the power of the other host fails after': { fault: 'power cut there after', keep: 'none', ...restart },
  'the same, with all of what was not synced kept': {
    fault: 'power cut there after',
    keep: 'all',
    ...restart,
  },
  'the power of both fails': { fault: 'power cut there after', keep: 'none', then: 'power cut, none' },
  'the other host is booted, and nobody sees it': { fault: 'booted there', keep: 'none', ...restart },
  'SIGKILL of the coordinator before': { fault: 'killed here before', ...restart },
  'SIGKILL of the coordinator after': { fault: 'killed here after', ...restart },
  'the coordinator boots': { fault: 'killed here after', then: 'reboot' },
  'the power of the coordinator fails': { fault: 'killed here after', then: 'power cut, none' },
};

/** Of these titles; recovery of most is alike, and BOFH_MATRIX=whole tries all of them. */
export function faultsOf(titles: readonly string[]) {
  return Object.entries(faults).filter(([title]) => isWhole || titles.includes(title));
}

/** What a recipe of one guest is tried with. */
export const someFaults = [
  'acts there, then fails',
  'the link is cut after, the answer is lost',
  'the link is cut while the program runs on',
  'the replication is cut, and nothing else',
  'the power of the other host fails after',
  'SIGKILL of the coordinator after',
  'the power of the coordinator fails',
];
