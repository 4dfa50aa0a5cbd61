import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../../src/core/errors.ts';
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
    ['vdev=xvda,target=/dev/vg/lv,', lv],
    ['vdev=xvda,target=/dev/vg/lv,,', { ...lv, target: '/dev/vg/lv,', path: '/dev/vg/lv,' }],
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

  test.each(['rbd:pool/image:mon_host=10.0.0.1\\\\:6321', 'nbd:10.0.0.1:10809', 'iscsi://10.0.0.1/iqn.x/1'])(
    '%s has no path on this host',
    (target) => {
      const { path: _, ...rest } = lv;
      expect(parseDisk(`backendtype=qdisk,vdev=xvda,target=${target}`)).toEqual({ ...rest, target });
    },
  );

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
    ['bridge=br0,script=vif-bridge', { bridge: 'br0', script: 'vif-bridge' }],
    ['mac=0:16:3E:0:0:1', { mac: '00:16:3e:00:00:01' }],
    ['trusted,bridge=br0', { bridge: 'br0' }],
    ['untrusted', {}],
    ['bridge=br0,rate=10Mb/s', { bridge: 'br0' }],
    ['rate=250KB/s@20ms', {}],
    ['rate=1GB/s@1s', {}],
    ['rate=100b/s@5', {}],
  ])('%j', (spec, expected) => {
    expect(parseVif(spec)).toEqual(expected);
  });
  test.each([
    ...['br0', 'mac=00:16', 'mac=0:0:1', 'mac=00-16-3e-00-00-01', 'mac=00:16:3e:00:00:100'],
    ...['rate=foo', 'rate=', 'rate=@', 'rate=10MB', 'rate=10MB/m', 'rate=10ZB/s', 'rate=0B/s'],
    ...['rate=4294967296b/s', 'rate=10Mb/s@foo', 'rate=10Mb/s@10h', 'rate=1B/s@0us', 'rate=1B/s@4295s'],
    'rate=4294967295GB/s@4294s',
  ])('%j is refused', (spec) => {
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

  test('has the memory of its start: all of it where only maxmem is set', () => {
    expect(read('name="a"\nmaxmem=64\n').memoryMiB).toBe(64);
    expect(read('name="a"\nmaxmem=64\nmemory=32\n').memoryMiB).toBe(32);
  });

  test('may have keys with a dot, as xl.conf has', () => {
    expect(read('name="a"\nmemory=1\nvif.default.script="vif-openvswitch"\n').name).toBe('a');
  });

  test('with a bootloader has its kernel inside', () => {
    const guest = read('name="a"\nmemory=64\nbootloader="pygrub"\nkernel="/vmlinuz"\n');

    expect(guest.kernel).toBeUndefined();
  });

  test.each([
    ['memory=128', 'x.cfg: expected name = "…"'],
    ['name=""\nmemory=128', 'x.cfg:1: expected name = "…"'],
    ['name="a"', 'x.cfg: expected memory = … (MiB), or maxmem'],
    ['name="a "\nmemory=1', 'x.cfg:1: expected a name without a blank at its start or end'],
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
