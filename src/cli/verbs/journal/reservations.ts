import type { Engine } from '../../../atomic/engine.ts';
import type { LockHolder } from '../../../atomic/locks/processes.ts';
import { give } from '../../output/answer.ts';
import type { JournalList, JournalReserved } from '../../output/answers/index.ts';
import type { ReadReservation } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { printable } from '../../output/text.ts';

/** The programs of a reservation that run on this host. */
export function programsOf(engine: Engine, id: string): readonly LockHolder[] {
  const at = engine.reserved?.programsAt(id);
  return at === undefined ? [] : engine.processes.holders()(at.lock, at.outputs);
}

/** A reservation in the list of journals. Its steps and user are in the journal of its coordinator. */
export function reservedRow({ id, at, found }: ReadReservation): JournalList[number] {
  const unknown = { id, name: '', user: '', at, steps: 0, changes: [] };
  if (found instanceof Error) return { ...unknown, state: 'unreadable' };
  return { ...unknown, name: found.name, state: 'reserved', coordinator: found.coordinator };
}

/** Shows what another host has reserved on this one. */
export function showReserved(
  runtime: Runtime<JournalReserved>,
  engine: Engine,
  { id, at, found }: ReadReservation,
): number {
  if (found instanceof Error) throw found;
  const { name, coordinator, exclusive, shared } = found;
  const data: JournalReserved = {
    ...{ id, name, state: 'reserved', coordinator, at },
    objects: [...exclusive],
    needs: [...shared],
    programs: programsOf(engine, id).map(({ pid, command }) => ({ pid, command })),
  };
  give(runtime, { data, lines: inWords(data) });
  return 0;
}

function inWords({
  id,
  name,
  coordinator,
  at,
  objects,
  needs,
  programs,
}: JournalReserved): readonly string[] {
  const listed = (head: string, lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : ['', head, ...lines.map((line) => `  ${printable(line)}`)];
  return [
    `sequence: ${id}`,
    `name:     ${printable(name)}`,
    `state:    reserved by the bofh on ${printable(coordinator)}, which has its journal`,
    `since:    ${at}`,
    ...listed('Objects of this host that it creates or changes:', objects),
    ...listed('Objects of this host that must stay unchanged meanwhile:', needs),
    ...listed(
      'Programs of it that run here:',
      programs.map(({ pid, command }) => `process ${String(pid)}: ${command}`),
    ),
    '',
    `next: on ${printable(coordinator)}, make sure that it ends: bofh journal show ${id}; bofh recover ${id};`,
    `      bofh recover --abandon ${id} --because "…" here, only when it has ended there, or ${printable(coordinator)} never comes back`,
  ];
}
