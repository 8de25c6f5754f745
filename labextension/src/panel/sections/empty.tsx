// A section without anything in it: why that is so, and the line that changes it.

import * as React from 'react';
import { Nothing, Rest } from '../parts';
import { useKit } from '../kit';
import { old } from '../words';
import type { Snapshot } from '../wire';

interface EmptyProps {
  state: Snapshot;
  /** Why there is none although the servers could tell. */
  why: string;
  /** A line that makes one, and what the link to it says. */
  line: string;
  offer: string;
}

export function Empty({ state: { lab, silent }, why, line, offer }: EmptyProps) {
  const { trans, acts } = useKit();
  if (lab?.watched === false) {
    return <Nothing>{trans.__('This lab runs without sources (--no-watch), so nobody has looked.')}</Nothing>;
  }
  if (silent.all) {
    return <Nothing>{trans.__('No server answers, so nobody can say. Start one above.')}</Nothing>;
  }
  return (
    <Nothing>
      {why}{' '}
      <button type="button" className="nlp-link" title={line} onClick={() => acts.insert(line)}>
        {offer}
      </button>
    </Nothing>
  );
}

/** That what is shown is not of now; `of` are the servers whose words it is. */
export function Old({ state: { silent }, of }: { state: Snapshot; of: string[] }) {
  const { trans } = useKit();
  return <Rest text={old(silent, of, trans)} />;
}
