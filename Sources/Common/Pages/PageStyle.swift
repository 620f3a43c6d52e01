/// The style sheet of a page, for light and dark schemes and for wide and narrow screens. It fetches nothing.
enum PageStyle {
    static let css = """
        :root{color-scheme:light dark;--page:#fcfcfb;--ink:#1b1b1a;--soft:#5c5b57;--rule:#dddbd5;--panel:#f3f2ee;--good:#1f7a3d;--bad:#b3261e;--accent:#2f5fc4;
        --c0:#3566c9;--c1:#c77700;--c2:#d5443c;--c3:#1c8f86;--c4:#3c9143;--c5:#c4488c;--c6:#8750d6;--c7:#8a6244}
        @media(prefers-color-scheme:dark){:root{--page:#161615;--ink:#ecebe6;--soft:#a5a39b;--rule:#383733;--panel:#22211f;--good:#67c383;--bad:#ff8a80;--accent:#8db1ff;
        --c0:#7aa2f7;--c1:#eba33a;--c2:#ff7a70;--c3:#4dc4b9;--c4:#6cc472;--c5:#f083bb;--c6:#b48cff;--c7:#c39a79}}
        *{box-sizing:border-box}
        body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
        h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2.5rem 0 .5rem;border-top:1px solid var(--rule);padding-top:1rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
        p{max-width:60rem;margin:.5rem 0}.soft,.axis,figcaption,summary{color:var(--soft)}
        nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem}a{color:var(--accent)}
        :focus-visible{outline:3px solid var(--accent);outline-offset:2px}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:1rem 0;padding:0;list-style:none}
        .tiles li{background:var(--panel);border-radius:.5rem;padding:.7rem 1rem}.tiles b{display:block;font-size:1.6rem;line-height:1.2}.tiles span{color:var(--soft);font-size:.9rem}
        .scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0}
        th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}th{font-weight:600}th:first-child,td:first-child{text-align:left}thead th{color:var(--soft);font-weight:400}
        .grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem 2rem}
        figure{margin:0}figcaption{font-weight:600;color:var(--ink)}
        .legend{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;list-style:none;margin:.2rem 0;padding:0;font-size:.9rem}.key{display:inline-block;width:1.2rem;border-top:3px solid;vertical-align:middle;margin-right:.3rem}.key.reference{border-top-style:dashed}
        .plot{display:grid;margin-top:.7rem;grid-template-columns:3.6rem 1fr;grid-template-rows:14rem 1.4rem;font-size:.8rem;color:var(--soft);font-variant-numeric:tabular-nums}
        .plot .y,.plot .x,.area{position:relative}.plot .x{grid-column:2}.plot .y span{position:absolute;right:.5rem;transform:translateY(-50%)}.plot .x span{position:absolute;top:.2rem;transform:translateX(-50%)}
        .plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}.line{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round;stroke-linecap:round}.line.reference{stroke-dasharray:5 4}
        .rule{stroke:var(--rule);stroke-width:1;vector-effect:non-scaling-stroke}.axis{margin:0;text-align:center;font-size:.8rem}
        .cross{position:absolute;top:0;bottom:0;width:1px;background:var(--soft)}
        .tip{position:absolute;z-index:2;pointer-events:none;background:var(--panel);color:var(--ink);border:1px solid var(--rule);border-radius:.3rem;padding:.3rem .5rem;font-size:.85rem;white-space:nowrap;max-width:16rem}
        .map svg{width:100%;background:var(--panel);border-radius:.5rem;display:block}.map path{opacity:.8}.map path.off{opacity:.08}.map path.here{stroke:var(--ink);stroke-width:4;opacity:1}
        .classes{display:flex;flex-wrap:wrap;gap:.3rem}.classes button{font:inherit;font-size:.9rem;color:inherit;background:none;border:1px solid var(--rule);border-radius:.3rem;padding:.1rem .5rem;cursor:pointer;display:inline-flex;align-items:center;gap:.3rem}
        .classes svg{width:1em;height:1em}.classes button[aria-pressed=true]{background:var(--panel);border-color:var(--ink)}
        .choice{border:0;padding:0;margin:.5rem 0}.choice>label{margin-right:1rem}.choice .components{display:none}.choice:has(#by-components:checked) .components{display:grid}.choice:has(#by-components:checked) .neighbours{display:none}
        .picture{display:inline-block;width:64px;height:64px;background-size:cover;background-position:center;border-radius:3px;vertical-align:top;flex:none}
        .picture.none{background:var(--panel);font-size:.65rem;line-height:1.2;padding:2px;overflow:hidden;overflow-wrap:anywhere}
        .picture.query{width:88px;height:88px}.picture.view{width:80px;height:80px}
        .rows{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,34rem),1fr));gap:0 2rem}
        .row{display:flex;flex-wrap:wrap;gap:.3rem .8rem;align-items:flex-start;margin:.6rem 0}.strip{display:flex;flex-wrap:wrap;gap:.3rem}.strip>span{width:64px;font-size:.75rem;line-height:1.25;overflow-wrap:anywhere;text-align:center}
        .strip>span.big{width:88px}.yes{color:var(--good)}.no{color:var(--bad)}.side{display:grid;gap:.2rem}.side small{color:var(--soft)}
        .bars .bar{width:40%;min-width:8rem}.bar div{position:relative;height:.9rem;background:var(--panel);border-radius:2px}.bar i{position:absolute;left:0;top:0;bottom:0;background:var(--c0);border-radius:2px}.bar i.mark{width:3px;background:var(--ink);border-radius:0;top:-2px;bottom:-2px}
        .confusion{font-size:.75rem}.confusion td,.confusion th{padding:.1rem .25rem;border:1px solid var(--page);text-align:center;min-width:1.7rem}.confusion tbody th{text-align:right}.confusion thead th{vertical-align:bottom}.confusion thead th span{writing-mode:vertical-rl;transform:rotate(180deg)}
        .confusion .right{background:color-mix(in srgb,var(--c0) var(--share),var(--panel))}.confusion .wrong{background:color-mix(in srgb,var(--c2) var(--share),var(--panel));text-decoration:underline}.confusion .full{color:var(--page)}
        pre{background:var(--panel);padding:.7rem;border-radius:.4rem;overflow-x:auto;font-size:.85rem}code{font-size:.9em}
        @media(max-width:34rem){body{padding:.6rem}th,td{padding:.2rem .4rem}.plot{grid-template-columns:3rem 1fr}}
        """
}
