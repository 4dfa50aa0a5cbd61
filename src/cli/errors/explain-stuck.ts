import type { StuckError, StuckStep } from '../../core/errors.ts';
import { manualRecoveryText, holdersInWords } from './manual-recovery.ts';
import type { Explanation } from './explanation.ts';
import { stepInWords } from '../plan/text.ts';
import { messageOf, oneLine, printable } from '../output/text.ts';

/** Explains a stuck sequence: what is done, what is undone, and how to clear each leftover step. */
export function stuck(error: StuckError): Explanation {
  const done = error.committed
    ? `changed: it is committed and is not undone, but the steps after the commit are not all finished${where(error)}`
    : error.blocked.length > 0
      ? `changed: a part of the work could not be undone${where(error)}`
      : // No step failed, but the journal: its last line may be on the disk, or not.
        'changed: only a recovery finds out whether the work is done or has to be undone';
  return {
    class: error.name,
    failed: oneLine(error.message),
    host: `${done}; the journal${error.id === undefined ? '' : ` ${error.id}`} stays open`,
    next: error.remedy,
    details: [
      ...error.done.map((step) => stepLine('done', step)),
      ...error.undone.map((step) => stepLine('undone', step)),
      ...error.leftUntouched.map((each) => printable(`left untouched: ${each}`)),
      ...inOrder(error).flatMap(({ word, step }) => [stepLine(word, step), ...manualRecoveryLines(step)]),
      ...(error.cause === undefined ? [] : [oneLine(`because: ${messageOf(error.cause)}`)]),
    ],
    exitCode: 3,
  };
}

/** Returns the hosts with leftovers; empty if this host is the only one. */
function where({ blocked, remaining }: StuckError): string {
  const hosts = [...new Set([...blocked, ...remaining].map(({ host }) => host ?? 'this host'))];
  if (hosts.every((host) => host === 'this host')) return '';
  return printable(` on ${hosts.join(', ')}`);
}

function stepLine(word: string, step: StuckStep): string {
  const { n, why } = step;
  return printable(`${word}: step ${String(n)} ${stepInWords(step)}${why === undefined ? '' : `: ${why}`}`);
}

/**
 * Returns the leftovers in the order of manual recovery: newest first, after the commit oldest
 * first.
 */
function inOrder({ blocked, remaining, committed }: StuckError) {
  const left = [
    ...blocked.map((step) => ({ word: 'blocked', step })),
    ...remaining.map((step) => ({ word: 'remaining', step })),
  ].toSorted((a, b) => a.step.n - b.step.n);
  return committed ? left : left.toReversed();
}

/**
 * Returns the lines about a leftover step: its holders, its objects, and the commands to see it and to clear
 * it.
 */
function manualRecoveryLines(step: StuckStep): readonly string[] {
  const on = step.host === undefined ? [] : [`on:    ${printable(step.host)}`];
  const lines = [
    ...on,
    ...holdersInWords(step),
    ...(step.manualRecovery === undefined ? [] : manualRecoveryText(step.manualRecovery)),
  ];
  return lines.map((line) => `  ${line}`);
}
