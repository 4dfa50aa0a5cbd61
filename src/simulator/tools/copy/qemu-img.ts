import { one, readOptions, unmodelled } from '../../options.ts';
import { type Device, openers } from '../../world/devices.ts';
import type { Content } from '../../world/parts.ts';
import { readQcow2, type Qcow2 } from '../../world/qcow2.ts';
import { resolve } from '../../world/resolve.ts';
import { emptyTree, file, plant } from '../../world/tree.ts';
import { copyContent } from '../../world/world.ts';
import { failed, ok, type ToolCall, type ToolModel } from '../answer.ts';
import { deviceAt } from '../blockdevice/device-at.ts';

/** qemu-img (qemu 7.2): images of disks, read, compared, and copied onto devices. */
export const imageCopyTools: Readonly<Record<string, ToolModel>> = { 'qemu-img': qemuImg };

type Answer = ReturnType<ToolModel>;

function qemuImg(call: ToolCall): Answer {
  const [verb = '', ...argv] = call.argv;
  const options = readOptions(
    { ...call, argv },
    { flags: ['-p', '-n'], values: ['-f', '-F', '-O', '-t', '-T', '--output'] },
  );
  const [source = '', target = '', ...more] = options.words;
  const format = one(options, '-f');
  const image = imageAt(call, source, format);
  if (typeof image === 'string') return failed(1, `qemu-img: Could not open '${source}': ${image}`);
  if (more.length > 0 || one(options, '-O') === 'qcow2') throw unmodelled(call, 'it reads one image');
  if (verb === 'info') return ok(JSON.stringify(infoOf(image, source), null, 4));
  if (verb === 'check') return check(image);
  const device = deviceAt(call.world, target);
  if (device === undefined)
    return failed(
      1,
      `qemu-img: Could not open '${target}': Could not open '${target}': No such file or directory`,
    );
  if (verb === 'compare') return compare(call, image, device);
  if (verb === 'convert' && options.flags.has('-n')) return convert(call, image, device);
  throw unmodelled(call, 'it knows info, check, compare and convert -n');
}

interface Image {
  readonly size: number;
  readonly content: Content;
  readonly qcow2?: Qcow2;
}

/** The disk in an image; as text why it cannot be opened. */
function imageAt({ world }: ToolCall, path: string, format: string | undefined): Image | string {
  const there = resolve(world, path, 'follow');
  if (!there.found) return `Could not open '${path}': No such file or directory`;
  if (format === 'qcow2') {
    const qcow2 = readQcow2(there.inode.content);
    if (qcow2 === undefined) return 'Image is not in qcow2 format';
    return { size: qcow2.size, content: contentOf(qcow2), qcow2 };
  }
  const device = deviceAt(world, path);
  if (device !== undefined) return { size: device.size, content: world.live.get(device.storage) ?? {} };
  return { size: there.inode.length ?? there.inode.content?.length ?? 0, content: {} };
}

function contentOf({ superblock, files = {} }: Qcow2): Content {
  if (superblock === undefined) return {};
  const tree = emptyTree();
  for (const [path, content] of Object.entries(files)) plant(tree, path, file(content));
  return { superblock, tree };
}

function infoOf({ size, qcow2 }: Image, filename: string): object {
  if (qcow2 === undefined) return { 'virtual-size': size, filename, format: 'raw', 'dirty-flag': false };
  const { backing, dataFile, encrypted } = qcow2;
  return {
    ...(backing === undefined ? {} : { 'backing-filename': backing }),
    ...{ 'virtual-size': size, filename, 'cluster-size': 65_536, format: 'qcow2' },
    'format-specific': {
      type: 'qcow2',
      data: { compat: '1.1', ...(dataFile === undefined ? {} : { 'data-file': dataFile }) },
    },
    ...(encrypted === undefined ? {} : { encrypted }),
    'dirty-flag': false,
  };
}

function check({ qcow2 }: Image): Answer {
  if (qcow2?.truncated !== true) return ok(JSON.stringify({ 'check-errors': 0 }));
  return { exitCode: 2, stdout: JSON.stringify({ 'check-errors': 0, corruptions: 11 }), stderr: 'ERROR\n' };
}

function compare({ world }: ToolCall, { size, content }: Image, device: Device): Answer {
  const warning = size === device.size ? '' : 'Warning: Image size mismatch!\n';
  const there = world.live.get(device.storage) ?? {};
  const isSame = JSON.stringify(shown(content)) === JSON.stringify(shown(there));
  if (isSame) return ok(`${warning}Images are identical.\n`);
  return { exitCode: 1, stdout: `${warning}Content mismatch at offset 1024!\n`, stderr: '' };
}

function shown({ superblock, changes, sectors, luks }: Content): unknown {
  return [superblock, changes, [...(sectors ?? [])], luks];
}

function convert({ world }: ToolCall, { size, content }: Image, device: Device): Answer {
  if (size > device.size) return failed(1, 'qemu-img: output file is smaller than input file');
  if (openers(world, device.number).some((each) => each.startsWith('mounted')))
    return failed(1, `qemu-img: Could not open '/dev/${device.name}': Device or resource busy`);
  world.live.set(device.storage, copyContent(content));
  return ok('    (0.00/100%)\r    (100.00/100%)\r\n');
}
