import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../src/errors.ts';
import { parseDisk } from '../../../../src/xen/config/disk.ts';
import { guestConfig } from '../../../../src/xen/config/guest.ts';
import { parseConfig } from '../../../../src/xen/config/parse.ts';
import { parseVif } from '../../../../src/xen/config/vif.ts';

const read = (text: string) => guestConfig(parseConfig({ text, file: 'x.cfg' }));

// Each was also given to xlu_disk_parse of libxlutil 4.17, with the same answer.
describe('a disk', () => {
  const lv = {
    target: '/dev/vg/lv',
    path: '/dev/vg/lv',
    format: 'raw',
    vdev: 'xvda',
    access: 'rw',
    devtype: 'disk',
  };
  const cd = { target: '/a.iso', path: '/a.iso', format: 'raw', vdev: 'hdc', access: 'ro', devtype: 'cdrom' };
  const none = { target: '', format: 'empty', vdev: 'hdc', access: 'ro', devtype: 'cdrom' };
  test.each([
    ['phy:/dev/vg/lv,xvda,w', lv],
    ['phy:vg/lv,xvda,w', { ...lv, target: 'vg/lv' }],
    ['raw:/dev/vg/lv,xvda,w', lv],
    ['/dev/vg/lv,,xvda', lv],
    ['/dev/vg/lv,raw,xvda,rw', lv],
    ['/dev/vg/lv,raw,xvda,r', { ...lv, access: 'ro' }],
    ['format=raw, vdev=xvda, access=rw, target=/dev/vg/lv', lv],
    ['access=r,/dev/vg/lv,,xvda', { ...lv, access: 'ro' }],
    ['backendtype=phy,vdev=xvda,target=/dev/vg/lv', lv],
    ['/dev/vg/lv,,xvda,discard', lv],
    ['vdev=xvda,target=/dev/vg/a,b=c', { ...lv, target: '/dev/vg/a,b=c', path: '/dev/vg/a,b=c' }],
    ['tap:qcow2:/dev/vg/lv,xvda,w', { ...lv, format: 'qcow2' }],
    ['/dev/disk/by-id/x:y,,xvda,w', { ...lv, target: '/dev/disk/by-id/x:y', path: '/dev/disk/by-id/x:y' }],
    ['/a.iso,,hdc,cdrom', cd],
    ['/a.iso,raw,hdc,devtype=cdrom', cd],
    ['raw:/a.iso,hdc:cdrom,ro', cd],
    [',,hdc,cdrom', none],
    [',hdc:cdrom,r', none],
    [
      'drbd:web,xvda,w',
      { target: 'web', format: 'raw', vdev: 'xvda', access: 'rw', devtype: 'disk', script: 'block-drbd' },
    ],
    [
      'script=block-drbd,vdev=xvda,target=r0',
      { target: 'r0', format: 'raw', vdev: 'xvda', access: 'rw', devtype: 'disk', script: 'block-drbd' },
    ],
  ])('%s', (spec, expected) => {
    expect(parseDisk(spec)).toEqual(expected);
  });

  test.each([
    ['/dev/vg/lv,xvda,w', 'unknown format xvda'],
    ['phy:/dev/vg/lv,raw,xvda,w', 'unknown access xvda'],
    ['/dev/a,,xvda,x', 'unknown access x'],
    ['phy:/dev/a,xvda,w!', 'unknown access w!'],
    ['phy:/dev/a,xvda,!', 'unknown access !'],
    ['/dev/a,,xvda,w,foo', "too many parameters near 'foo'"],
    ['phy:/dev/a,xvda,w,bogus=1', 'unknown parameter bogus='],
    ['/dev/a,,xvda,,target=/dev/b', 'the target is given twice'],
    ['vdev=xvda', 'it has no target'],
    ['/dev/a', 'it has no vdev'],
    ['target=,vdev=xvda', 'it has no vdev'],
    ['foo:/dev/a,xvda,w', 'unknown prefix foo:'],
    ['/dev/a=b,,xvda', 'cannot be understood'],
    ['', 'it has no target'],
  ])('%j is refused', (spec, message) => {
    expect(parseDisk(spec)).toContain(message);
  });
});

describe('a network interface', () => {
  test.each([
    ['', {}],
    ['mac=00:16:3E:00:00:01, bridge=br0', { mac: '00:16:3e:00:00:01', bridge: 'br0' }],
    ['bridge=br0,script=vif-bridge', { bridge: 'br0' }],
  ])('%j', (spec, expected) => {
    expect(parseVif(spec)).toEqual(expected);
  });
  test.each(['br0', 'mac=00:16', 'mac=00-16-3e-00-00-01'])('%j is refused', (spec) => {
    expect(parseVif(spec)).toContain(`in the vif '${spec}'`);
  });
});

describe('a guest', () => {
  test('is read with its defaults', () => {
    expect(read('name="web1"\nmemory=128\n')).toEqual({
      file: 'x.cfg',
      name: 'web1',
      type: 'pv',
      memoryMiB: 128,
      vcpus: 1,
      disks: [],
      vifs: [],
    });
  });

  test('is read whole', () => {
    const text = `name="web1"
uuid="AAAAAAAA-2222-4333-8444-555555555555"
memory="128"; vcpus=2; type="pvh"
kernel="/k"; ramdisk="/r"
disk=['phy:/dev/vg/lv,xvda,w']
vif=['bridge=br0']
`;
    expect(read(text)).toEqual({
      file: 'x.cfg',
      name: 'web1',
      uuid: 'aaaaaaaa-2222-4333-8444-555555555555',
      type: 'pvh',
      memoryMiB: 128,
      vcpus: 2,
      kernel: '/k',
      ramdisk: '/r',
      disks: [
        {
          target: '/dev/vg/lv',
          path: '/dev/vg/lv',
          format: 'raw',
          vdev: 'xvda',
          access: 'rw',
          devtype: 'disk',
        },
      ],
      vifs: [{ bridge: 'br0' }],
    });
  });

  test('with a bootloader has its kernel inside', () => {
    const guest = read('name="a"\nmemory=64\nbootloader="pygrub"\nkernel="/vmlinuz"\n');

    expect(guest.kernel).toBeUndefined();
  });

  test.each([
    ['memory=128', 'x.cfg: expected name = "…"'],
    ['name=""\nmemory=128', 'x.cfg:1: expected name = "…"'],
    ['name="a"', 'x.cfg: expected memory = … (MiB)'],
    ['name="a"\nmemory=[1]', 'x.cfg:2: expected a number for memory, found a list'],
    ['name="a"\nmemory="x"', 'x.cfg:2: expected a whole number above 0 for memory, found x'],
    ['name="a"\nmemory=0', 'x.cfg:2: expected a whole number above 0 for memory'],
    ['name=["a"]\nmemory=1', 'x.cfg:1: expected one value for name, found a list'],
    ['name="a"\nmemory=1\nuuid="zzz"', 'x.cfg:3: "zzz" is no UUID'],
    ['name="a"\nmemory=1\ntype="vm"', 'x.cfg:3: expected type "pv", "pvh" or "hvm"'],
    ['name="a"\nmemory=1\ndisk="x"', 'x.cfg:3: expected a list for disk'],
    ['name="a"\nmemory=1\ndisk=[\n"/dev/a,xvda,w"]', "x.cfg:4: in the disk '/dev/a,xvda,w': unknown format"],
    ['name="a"\nmemory=1\ndisk=[["x"]]', 'x.cfg:3: expected strings in the list disk'],
    ['name="a"\nmemory=1\nvif=["br0"]', "x.cfg:3: in the vif 'br0'"],
  ])('%j is refused', (text, message) => {
    expect(() => read(text)).toThrow(UsageError);
    expect(() => read(text)).toThrow(message);
  });
});
