import type { Tree } from './tree';

export function StructureView({ tree }: { tree: Tree }) {
  return <p>{tree.count}</p>;
}
