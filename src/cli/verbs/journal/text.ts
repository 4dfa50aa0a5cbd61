import type { IntentLine } from '../../../atomic/journal/lines.ts';
import { keyInWords, objectsOf } from '../../../atomic/locks/host-key.ts';
import { kindOf } from '../../../atomic/undo/report.ts';
import type { JournalShow, ShownStep } from '../../output/answers/index.ts';
import { type Look, paintWord, stated } from '../../output/style.ts';
import { stepInWords } from '../../plan/text.ts';
import type { JournalTimes } from '../../runtime/read-journals.ts';
import { duration, localTime } from '../../output/times.ts';
import { table } from '../../output/table.ts';
import { printable, textOf } from '../../output/text.ts';

const plannedWords = {
  undo: 'undo',
  look: 'only check, because a reboot ended its effect:',
  finish: 'finish, which cannot be undone:',
  blocked: 'blocked:',
} as const;

/** State of a journal whose lock belongs to a process that is not visible here. */
export const unknownInWords = 'cannot tell from here';

/** A planned step in words. */
export function plannedInWords(planned: JournalShow['recovery'][number]): string {
  const { n, with: others } = planned;
  const also = others.length === 0 ? '' : `, and with it step ${others.join(', ')}`;
  return printable(`${plannedWords[planned.do]} step ${String(n)} ${stepInWords(planned)}${also}`);
}

/** The other hosts of a journal. */
export function hostsInWords(hosts: NonNullable<JournalShow['hosts']>): string {
  return hosts
    .map(({ name, away }) => `on ${name}${away === undefined ? '' : ', which cannot be reached'}`)
    .join('; ');
}

/** The duration of a sequence until its last change. */
export function tookInWords({ at, began }: JournalTimes): string {
  return began === undefined ? '' : duration(Date.parse(at) - Date.parse(began));
}

const targets = ['path', 'file', 'device', 'name', 'resource', 'label'] as const;

/** A step as text, with its kind and its object: `lvm.lv.create vg0/web1`; a pair of functions by its name. */
export function changeInWords(intent: IntentLine): string {
  const args = typeof intent.args === 'object' && intent.args !== null ? intent.args : {};
  const asked: Readonly<Record<string, unknown>> = { ...args };
  const target = targets.map((key) => asked[key]).find((value) => typeof value === 'string');
  const of = target ?? objectsOf(intent)[0];
  const within = typeof asked['vg'] === 'string' && target !== undefined ? `${asked['vg']}/` : '';
  const on = intent.host === '' ? '' : ` on ${intent.host}`;
  // The name of a pair of functions is all that is known of it.
  if (intent.kind === 'bare') return textOf(`${kindOf(intent)}${on}`);
  return textOf(`${intent.kind}${of === undefined ? '' : ` ${within}${of}`}${on}`);
}

/** An unreachable host. */
export function awayInWords({ name, away }: { readonly name: string; readonly away: string }): string {
  return printable(`${name} cannot be reached: ${away}`);
}

/** The answer of `journal show` for people. */
export function showInWords(data: JournalShow, look: Look): readonly string[] {
  const rows = data.steps.map((step) => [
    String(step.n),
    stated(step.state),
    step.kind,
    step.objects.map((key) => keyInWords(step.host ?? '', key)).join(step.host === undefined ? ' ' : ', '),
    step.note ?? '',
  ]);
  const steps =
    rows.length === 0 ? [] : ['', table(['STEP', 'STATE', 'KIND', 'OBJECTS', ''], rows, look).trimEnd()];
  // In the order of manual recovery.
  const forward = data.recovery.some((each) => each.do === 'finish');
  const left = (forward ? data.steps : data.steps.toReversed()).flatMap((step) => leftInWords(data.id, step));
  const recovery = data.recovery.map((each) => `  ${plannedInWords(each)}`);
  return [
    `journal:  ${data.id}`,
    `name:     ${printable(data.name)}`,
    `user:     ${printable(data.user)}`,
    `command:  ${printable(data.command.join(' '))}`,
    `bofh:     ${data.bofh}`,
    `state:    ${paintWord(look.paint, data.state === 'unknown' ? unknownInWords : data.state)}${data.because === undefined ? '' : `: ${printable(data.because)}`}`,
    `changed:  ${localTime(data.at)}${data.began === undefined ? '' : `, ${tookInWords(data)} after it began`}`,
    ...(data.hosts ?? []).map(
      ({ name, away }) => `also on:  ${away === undefined ? printable(name) : awayInWords({ name, away })}`,
    ),
    ...(data.notUndoable === undefined
      ? []
      : [`undo:     ${printable(data.notUndoable ?? `bofh undo ${data.id}`)}`]),
    ...steps,
    ...(left.length === 0
      ? []
      : ['', 'Left to do, with the commands to see and to clear it by hand:', ...left]),
    ...(recovery.length === 0 ? [] : ['', 'bofh recover would:', ...recovery]),
    ...(data.refused === undefined
      ? []
      : ['', `bofh recover would not begin: ${printable(data.refused.why)}`]),
    ...nextInWords(data),
  ];
}

function leftInWords(id: string, step: ShownStep): readonly string[] {
  const { n, kind, host, state, heldBy = [], remedy, manualRecovery } = step;
  if (manualRecovery === undefined)
    return state === 'undone' || state === 'finished' || state === 'done'
      ? []
      : [
          `  step ${String(n)} ${kind}: bofh knows no commands for it; when it is undone by hand: bofh journal resolve ${id} ${String(n)} --undone`,
        ];
  const held = heldBy.flatMap(({ who, free }) => [
    `held:  ${who}`,
    ...(free === undefined ? [] : [`free:  ${free}`]),
  ]);
  const lines = [
    `it is: ${manualRecovery.what}`,
    ...held,
    ...(remedy === undefined ? [] : [`help:  ${remedy}`]),
    ...manualRecovery.look.map((command) => `look:  ${command}`),
    ...manualRecovery.clear.map((command) => `clear: ${command}`),
  ];
  const on = host === undefined ? '' : `, on ${printable(host)}`;
  return [`  step ${String(n)} ${kind}${on}`, ...lines.map((line) => `    ${printable(line)}`)];
}

function nextInWords({ id, state, refused }: JournalShow): readonly string[] {
  if (refused?.remedy !== undefined) return ['', `next: ${printable(refused.remedy)}`];
  if (state === 'unknown')
    return [
      '',
      'next: a process that /proc does not show here holds the lock of this journal. To see its state, run bofh journal list in',
      '      the other container, PID namespace or host that uses this state directory',
    ];
  if (state !== 'interrupted') return [];
  return [
    '',
    `next: bofh recover ${id}, which tries again what was blocked and sees what was cleared by hand;`,
    `      bofh recover --abandon ${id} --because "…", if the rest should stay as it is`,
  ];
}
