"""The layouts that are recognised, the most specific first. To add one, write a file here and a line in `BUILT_IN`, or
an entry point `gliobench.layouts` in another package, which goes first."""

from gliobench.cohort.layouts.bids import BIDS
from gliobench.cohort.layouts.brats2018 import BRATS_2018
from gliobench.cohort.layouts.brats2020 import BRATS_2020
from gliobench.cohort.layouts.brats2021 import BRATS_2021, BRATS_2023
from gliobench.cohort.layouts.brats_tcga import BRATS_TCGA
from gliobench.cohort.layouts.decathlon import DECATHLON
from gliobench.cohort.layouts.egd import EGD
from gliobench.cohort.layouts.layout import Layout
from gliobench.cohort.layouts.nnunet_raw import NNUNET_RAW
from gliobench.cohort.layouts.table import TABLE
from gliobench.cohort.layouts.ucsf_pdgm import UCSF_PDGM
from gliobench.cohort.layouts.upenn_gbm import UPENN_GBM
from gliobench.plugins import Registry

BUILT_IN: tuple[Layout, ...] = (
    TABLE,
    UCSF_PDGM,
    UPENN_GBM,
    EGD,
    BRATS_TCGA,
    BIDS,
    BRATS_2018,
    BRATS_2020,
    BRATS_2023,
    BRATS_2021,
    DECATHLON,
    NNUNET_RAW,
)
LAYOUTS = Registry[Layout]("layouts", {layout.name: layout for layout in BUILT_IN}, brought_first=True)
