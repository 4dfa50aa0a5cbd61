import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheDir } from './cache.ts';
import { RigError } from './errors.ts';
import type { Image } from './image.ts';
import { mustRun, runProgram } from './process.ts';
import { type Accel, bootArgv, type Hypervisor, qemuProgram } from './qemu-argv.ts';

/** First line of `qemu-system-x86_64 --version`: snapshots of one version are not for another. */
export async function qemuVersion(): Promise<string> {
  const { stdout } = await mustRun({ argv: [qemuProgram, '--version'], timeoutMs: 20_000 });
  return stdout.toString().split('\n')[0] ?? '';
}

/**
 * How machines run here: `kvm` where it really boots this kernel (and hypervisor) to its first program, else `tcg`.
 * That /dev/kvm opens and creates a machine proves nothing: seen are hosts where the guest then hangs or QEMU aborts.
 * The trial takes 15 s at most and its answer is cached. `$BOFH_RIG_ACCEL` decides without a trial.
 */
export async function chooseAccel(options: {
  readonly image: Image;
  readonly hypervisor: Hypervisor;
}): Promise<Accel> {
  const chosen = process.env['BOFH_RIG_ACCEL'];
  if (chosen === 'kvm' || chosen === 'tcg') return chosen;
  if (chosen !== undefined && chosen !== '')
    throw new RigError(`BOFH_RIG_ACCEL is "${chosen}", not kvm or tcg`);
  const facts = [
    await qemuVersion(),
    options.image.dir,
    options.hypervisor,
    release(),
    cpus()[0]?.model ?? '',
  ];
  const file = join(
    cacheDir(),
    `accel-${createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)}`,
  );
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known === 'kvm' || known === 'tcg') return known;
  const answer: Accel = (await kvmBoots(options)) ? 'kvm' : 'tcg';
  // Two machines of one process may try at the same time.
  const partial = `${file}.${randomUUID()}`;
  await writeFile(partial, answer);
  await rename(partial, file);
  return answer;
}

async function kvmBoots(options: {
  readonly image: Image;
  readonly hypervisor: Hypervisor;
}): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'bofh-rig-kvm-'));
  try {
    const consoleFile = join(dir, 'console');
    const argv = bootArgv({
      ...options,
      accel: 'kvm',
      memoryMiB: 1024,
      cpus: 2,
      consoleFile,
      kernelWords: ['rig-probe'],
    });
    // -no-reboot: the probe's reboot ends QEMU. One that hangs is killed by the time limit: an answer too.
    await runProgram({ argv, timeoutMs: 15_000 }).catch(() => undefined);
    return (await readFile(consoleFile, 'utf8').catch(() => '')).includes('rig: probe ok');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
