import { UsageError, JournalError, RefusedError } from '../../../core/errors.ts';
import { readById, readOpen, rawBytes, type ReadJournal } from '../../runtime/read-journals.ts';
import type { RecoveredList } from '../../output/answers/index.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost, tellWhose, untilInterrupted } from '../../runtime/session.ts';
import { parseDuration, parseWait } from '../../runtime/settings.ts';
import { flag, value, verb } from '../../runtime/verb.ts';
import { objectList } from './object-list.ts';
import { abandonOne } from './abandon.ts';
import { type BootLimit, bootLimit } from './boot-limit.ts';
import { guardOne, recoverAll } from './recover-journals.ts';
import { cutLastLine, damagedEnd } from '../../../atomic/recovery/recover.ts';
import type { Bofh } from '../../../connect.ts';
import { printable } from '../../output/text.ts';
import { confirm } from '../../runtime/confirm.ts';
import { logged } from '../../runtime/system-log.ts';
import { tell } from './text.ts';

/**
 * Needs no site file: the journal has all data that an undo needs. Only operations of the site are
 * in that file.
 */
export default verb({
  changes: true,
  answers: 'recover',
  args: { id: ['[id]', 'recover only this journal'] },
  options: {
    abandon: value('<ID>', 'close this journal and leave the host as it is; needs --because', {
      conflicts: ['cutLastLine'],
    }),
    boot: flag(
      'recover as the boot unit does: only sequences from before this boot, without questions; objects in use are left untouched',
      {
        conflicts: ['abandon', 'cutLastLine'],
      },
    ),
    network: flag('with --boot: only sequences that need other hosts; run it after the network is up'),
    discard: value(
      '<OBJECT,…>',
      'also undo the changes of these objects (copy the names from the error: fs:UUID, lv:vg0/web1); what others wrote to them is lost',
      { read: objectList },
    ),
    ignoreMachineId: flag(
      'recover journal ID although it was written under another machine-id, because this host got a new one',
    ),
    limit: value(
      '<DURATION>',
      'with --boot: time limit for one journal; a journal that needs longer stays open (default: 5m)',
      { read: parseWait },
    ),
    total: value(
      '<DURATION>',
      'with --boot: after this time, do not start to recover another journal (default: 15m)',
      { read: parseDuration },
    ),
    unconfirmed: flag(
      'with --boot: only sequences that wait for a confirmation; the boot unit runs this before the network is up. With ID: wait for the confirmation, and roll back if it does not come in time (bofh starts this itself)',
    ),
    because: value('<TEXT>', 'reason, which is written to the journal'),
    cutLastLine: value('<ID>', 'show the damaged end of this journal and cut it off'),
  },
  examples: ['--dry-run recover', 'recover', "recover --abandon 3f0c1a4e --because 'the disk is gone'"],
  run: async (
    runtime,
    {
      id,
      abandon,
      cutLastLine,
      because,
      boot,
      network,
      discard = [],
      limit,
      total,
      ignoreMachineId,
      unconfirmed,
    },
  ) => {
    if ((abandon !== undefined || cutLastLine !== undefined) && id !== undefined)
      throw new UsageError(`pass only one journal: ${id}, or the ID of --abandon or --cut-last-line`);
    if (because !== undefined && abandon === undefined)
      throw new UsageError('--because belongs to --abandon ID');
    refuseOtherHost(runtime, 'the journals');
    if (discard.length > 0 && (id === undefined || boot))
      throw new UsageError('--discard needs the ID of a journal: bofh recover ID --discard OBJECT');
    if (ignoreMachineId && (id === undefined || boot))
      throw new UsageError(
        '--ignore-machine-id needs the ID of a journal: bofh recover ID --ignore-machine-id',
      );
    if (!boot && (limit !== undefined || total !== undefined))
      throw new UsageError('--limit and --total need --boot');
    if (!boot && network) throw new UsageError('--network needs --boot');
    if (unconfirmed && (network || (id === undefined) !== boot))
      throw new UsageError('--unconfirmed needs the ID of a journal, or --boot without --network');
    if (boot) {
      const which = network ? 'others' : unconfirmed ? 'unconfirmed' : 'this host';
      return await recoverAtBoot(runtime, id, which, bootLimit(limit, total));
    }
    tellWhose(runtime);
    const { bofh } = await openSession(runtime, { site: 'unused', root: 'not-needed' });
    if (abandon !== undefined) return await abandonOne(runtime, bofh, abandon, because);
    if (cutLastLine !== undefined) return await cutOne(runtime, bofh, cutLastLine);
    if (unconfirmed && id !== undefined) return await guardOne(runtime, bofh, id);
    const journals = id === undefined ? await readOpen(bofh.engine) : [await readById(bofh.engine, id)];
    return await recoverAll(runtime, bofh, journals, { discard, ignoreMachineId });
  },
});

/** Never asks, because no one can answer at boot. */
async function recoverAtBoot(
  runtime: Runtime<RecoveredList>,
  id: string | undefined,
  reach: 'this host' | 'others' | 'unconfirmed',
  limit: BootLimit,
): Promise<number> {
  if (id !== undefined || runtime.settings.consent === 'given')
    throw new UsageError(
      '--boot excludes an ID and --yes: it recovers every journal of an earlier boot, and leaves objects in use untouched',
    );
  const unattended = { ...runtime, terminal: { ...runtime.terminal, interactive: false } };
  const { bofh } = await openSession(unattended, { site: 'unused', root: 'needed' });
  const { boot } = await bofh.host.facts();
  const open = await readOpen(bofh.engine);
  const before = ofEarlierBoots(open, boot);
  if (before.length < open.length)
    runtime.terminal.line('sequences of this boot are left untouched: bofh journal list');
  const earlier = ofUnit(before, reach);
  if (reach === 'this host' && earlier.length < before.length)
    runtime.terminal.line(
      'sequences that reach other hosts wait for the network: bofh recover --boot --network (bofh-recover-hosts.service)',
    );
  if (runtime.settings.mode === 'act')
    return await recoverAll(unattended, bofh, earlier, { guard: startedGuest, limit });
  const left = earlier.flatMap((journal) => startedGuest(journal) ?? []);
  for (const { message } of left) runtime.terminal.line(message);
  const planned = earlier.filter((journal) => startedGuest(journal) === undefined);
  const exitCode = await recoverAll(unattended, bofh, planned);
  return left.length > 0 ? 3 : exitCode;
}

/** Removes the damaged end of a journal after a confirmation. */
async function cutOne(runtime: Runtime<RecoveredList>, bofh: Bofh, id: string): Promise<number> {
  const journal = await untilInterrupted(runtime, readById(bofh.engine, id));
  if (journal.is === 'closed') throw new JournalError(`the journal ${journal.id} is closed`);
  const last = printable(damagedEnd(rawBytes(bofh.engine, journal.id), journal.id).text);
  if (runtime.settings.mode === 'plan')
    return (await import('../../plan/plan-recovery.ts')).showAbandonOrCut(runtime, {
      ...{ id: journal.id, name: '', end: 'cut', waitsFor: [], line: last },
    });
  await confirm(runtime, [`The damaged end of journal ${journal.id} is cut off:`, last]);
  await logged(runtime, bofh.host, () => cutLastLine(bofh.engine, journal.id));
  tell(runtime, [{ id: journal.id, name: '', end: 'cut', leftUntouched: [], because: last }]);
  return 0;
}

/** The journals of earlier boots. Sequences of this boot are for an administrator, who can answer questions. */
function ofEarlierBoots(journals: readonly ReadJournal[], boot: string): readonly ReadJournal[] {
  return journals.filter((journal) => journal.is !== 'open' || journal.open.state.begin.boot !== boot);
}

/**
 * The journals of one of the units. Unconfirmed sequences are rolled back before the network and sshd start.
 * Journals with other hosts need the network, and guests of this host do not wait for it. An unreadable
 * journal belongs to the first unit, which reports it.
 */
function ofUnit(
  journals: readonly ReadJournal[],
  reach: 'this host' | 'others' | 'unconfirmed',
): readonly ReadJournal[] {
  if (reach === 'unconfirmed')
    return journals.filter(
      (journal) => journal.is === 'open' && journal.open.state.begin.confirm !== undefined,
    );
  const reaches = (journal: ReadJournal): boolean =>
    journal.is === 'open' && journal.open.state.hosts.length > 0;
  return journals.filter((journal) => reaches(journal) === (reach === 'others'));
}

/**
 * Refuses a sequence that started a guest and was not committed. At boot no guest runs: this one may have run
 * for days between the end of bofh and the reboot, so its disks stay.
 */
export function startedGuest(journal: ReadJournal): RefusedError | undefined {
  if (journal.is !== 'open' || journal.open.state.committed) return undefined;
  // The user requested the rollback without a confirmation.
  if (journal.open.state.begin.confirm !== undefined) return undefined;
  const { id } = journal;
  const started = journal.open.state.steps.filter(
    ({ intent, undone }) => intent.kind === 'xen.domain.create' && undone === undefined,
  );
  if (started.length === 0) return undefined;
  const guests = started
    .flatMap(({ intent }) => intent.claims?.makes ?? [])
    .filter((key) => key.startsWith('dom:'))
    .map((key) => key.slice('dom:'.length));
  return new RefusedError(
    `journal ${id} is left open: it had started the guest ${printable(guests.join(', '))}, which may have run until the reboot and written to its disks`,
    { remedy: `to undo it anyway: bofh recover ${id}; to see its steps: bofh journal show ${id}` },
  );
}
