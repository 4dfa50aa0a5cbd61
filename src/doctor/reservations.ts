import type { SeenReservation } from '../atomic/locks/reservations.ts';
import { type Finding, finding } from './finding.ts';

/**
 * Reports reservations of other hosts on this one. This host does not know whether their sequences still run;
 * their age is a hint.
 */
export function reservations(seen: readonly SeenReservation[], nowMs: number): readonly Finding[] {
  return seen.map(({ id, changedMs, found }) => {
    if (found instanceof Error)
      return finding(
        'reservation',
        'problem',
        `${found.message}; until it can be read, bofh changes nothing on this host`,
        [abandon(id, 'it cannot be read')],
      );
    const { name, coordinator, exclusive } = found;
    const what = exclusive.length === 0 ? 'objects of this host' : exclusive.join(', ');
    return finding(
      'reservation',
      'warning',
      `the sequence ${id} "${name}" of the bofh on ${coordinator} has reserved ${what}, last ${age(nowMs - changedMs)} ago: finish it on ${coordinator} (bofh recover); abandon it here only if it has ended there, or ${coordinator} never comes back`,
      [['bofh', 'journal', 'show', id], abandon(id, `${coordinator} never comes back`)],
    );
  });
}

function abandon(id: string, because: string): readonly string[] {
  return ['bofh', 'recover', '--abandon', id, '--because', because];
}

const units = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
] as const;

/** Formats an age in the largest unit of which there are at least two; negative ages count as 0. */
function age(ms: number): string {
  const [name, length] = units.find(([, each]) => ms >= 2 * each) ?? ['seconds', 1000];
  return `${String(Math.max(0, Math.floor(ms / length)))} ${name}`;
}
