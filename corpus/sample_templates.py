"""Line templates for the synthetic sample corpus, by note section and by part.

A slot is "{N=words field*assertion @o}": N names the concept for the relations after "||", the
words "a", "the", "poss" and "mod" ask for a determiner or modifier, and "@o" takes another
condition than the paragraph's own. "{problem:the rash}" is a literal concept of that type.
A "$" slot is filler text and never a concept. Problems without a star are present.
"""

Bank = dict[str, list[str]]

HEADERS: dict[str, Bank] = {
    "hpi": {
        "all": ["HISTORY OF PRESENT ILLNESS :"],
        "train": ["HPI :", "History of Present Illness :"],
        "dev": ["Present Illness :"],
        "test": ["PRESENT ILLNESS :", "Reason for Admission :"],
    },
    "pmh": {
        "all": ["PAST MEDICAL HISTORY :"],
        "train": ["PMH :", "Past Medical History :"],
        "dev": ["OTHER DIAGNOSES :"],
        "test": ["MEDICAL HISTORY :", "Past History :"],
    },
    "psh": {
        "all": ["PAST SURGICAL HISTORY :"],
        "train": ["PSH :"],
        "dev": ["Prior Operations :"],
        "test": ["SURGICAL HISTORY :"],
    },
    "meds": {
        "all": ["MEDICATIONS ON DISCHARGE :"],
        "train": ["DISCHARGE MEDICATIONS :", "MEDICATIONS ON ADMISSION :", "MEDICATIONS :"],
        "dev": ["Home Medications :"],
        "test": ["CURRENT MEDICATIONS :", "Medications at Home :"],
    },
    "allergy": {"all": ["ALLERGIES :"], "train": ["Allergies :"], "dev": [], "test": []},
    "family": {
        "all": ["FAMILY HISTORY :"],
        "train": ["FH :"],
        "dev": [],
        "test": ["Family Hx :"],
    },
    "social": {"all": ["SOCIAL HISTORY :"], "train": ["SH :"], "dev": [], "test": ["Social Hx :"]},
    "exam": {
        "all": ["PHYSICAL EXAMINATION :"],
        "train": ["PE :", "PHYSICAL EXAM :"],
        "dev": ["EXAM ON ADMISSION :"],
        "test": ["EXAMINATION :", "Exam :"],
    },
    "labs": {
        "all": ["LABORATORY DATA :"],
        "train": ["LABS :", "PERTINENT RESULTS :"],
        "dev": ["LABORATORY VALUES :"],
        "test": ["STUDIES :", "Laboratory Studies :"],
    },
    "course": {
        "all": ["HOSPITAL COURSE :"],
        "train": ["BRIEF HOSPITAL COURSE :", "HOSPITAL COURSE BY SYSTEM :"],
        "dev": ["COURSE IN HOSPITAL :"],
        "test": ["SUMMARY OF STAY :", "HOSPITAL COURSE AND TREATMENT :"],
    },
    "instr": {
        "all": ["DISCHARGE INSTRUCTIONS :"],
        "train": ["DISPOSITION :", "FOLLOW-UP :"],
        "dev": ["PLAN AT DISCHARGE :"],
        "test": ["INSTRUCTIONS :", "Follow Up Plans :"],
    },
    "subj": {
        "all": ["SUBJECTIVE :"],
        "train": ["S :", "INTERVAL HISTORY :"],
        "dev": ["OVERNIGHT EVENTS :"],
        "test": ["Interval Events :"],
    },
    "plan": {
        "all": ["ASSESSMENT AND PLAN :"],
        "train": ["A/P :", "IMPRESSION AND PLAN :"],
        "dev": ["PLAN :"],
        "test": ["ASSESSMENT :", "Impression / Plan :"],
    },
    "indication": {
        "all": ["INDICATION :"],
        "train": ["CLINICAL INDICATION :"],
        "dev": ["REASON FOR EXAM :"],
        "test": ["HISTORY :"],
    },
    "findings": {"all": ["FINDINGS :"], "train": ["REPORT :"], "dev": [], "test": []},
    "impression": {"all": ["IMPRESSION :"], "train": [], "dev": [], "test": ["CONCLUSION :"]},
    "spec": {
        "all": ["SPECIMEN :"],
        "train": ["SPECIMENS SUBMITTED :"],
        "dev": ["MATERIAL RECEIVED :"],
        "test": ["TISSUE SUBMITTED :"],
    },
    "clinhist": {
        "all": ["CLINICAL HISTORY :"],
        "train": ["CLINICAL DATA :"],
        "dev": [],
        "test": ["CLINICAL INFORMATION :"],
    },
    "gross": {"all": ["GROSS DESCRIPTION :"], "train": ["GROSS :"], "dev": [], "test": []},
    "pathdx": {
        "all": ["FINAL DIAGNOSIS :"],
        "train": ["PATHOLOGIC DIAGNOSIS :"],
        "dev": [],
        "test": ["DIAGNOSIS :"],
    },
    "comment": {
        "all": ["COMMENT :"],
        "train": ["NOTE :", "MICROSCOPIC :"],
        "dev": [],
        "test": ["MICROSCOPIC DESCRIPTION :"],
    },
}

LINES: dict[str, Bank] = {
    "id_discharge": {
        "all": [
            "DISCHARGE SUMMARY {$mrn}",
            "Patient Name : {$name} MR # {$mrn}",
            "Admission Date : {$admit} Discharge Date : {$leave}",
        ],
        "train": ["Record # {$mrn} Attending : Dr. {$doctor}", "Service : {$service}"],
        "dev": ["Unit No. {$mrn} {$name}"],
        "test": ["{$place} Chart {$mrn}", "Dictated for Dr. {$doctor} on {$date}"],
    },
    "id_progress": {
        "all": ["PROGRESS NOTE {$date}", "Patient Name : {$name} MR # {$mrn}"],
        "train": ["{$service} Progress Note", "Hospital Day {$n}"],
        "dev": ["Daily Note , Day {$n}"],
        "test": ["{$service} follow up note {$date}", "Seen on rounds with Dr. {$doctor}"],
    },
    "id_radiology": {
        "all": ["RADIOLOGY REPORT {$mrn}", "Exam Date : {$date}"],
        "train": ["Requesting physician : Dr. {$doctor}", "Department of Radiology"],
        "dev": ["Imaging Department , {$place}"],
        "test": ["Diagnostic Imaging Accession {$mrn}"],
    },
    "id_pathology": {
        "all": ["SURGICAL PATHOLOGY REPORT {$mrn}", "Accessioned : {$date}"],
        "train": ["Pathologist : {$doctor} , M.D."],
        "dev": ["Patient : {$name}"],
        "test": ["Department of Pathology , {$place}"],
    },
    "hpi_open": {
        "all": [
            "The patient is a {$age}-year-old {$man} with a history of {a dx} and {pmh} who "
            "presents "
            "with {a mod sym} .",
        ],
        "train": [
            "{$title} {$surname} is a {$age} year old {$man} with {1=mod dx} , {2=pmh} , and "
            "{3=pmh} "
            "who was admitted with {4=a sym} and {5=a sym} .",
            "This is a {$age} y.o. {$man} who came to the Emergency Department complaining of "
            "{a mod sym} for {$n} days .",
            "{$age} {$man} with PMH of {a dx@o} , s/p {psh} in {$year} , admitted with {1=a mod "
            "dx} .",
            "The patient was transferred from {$place} for evaluation of {a mod sym} .",
            "{$name} is a {$age}-year-old {$job} with {pmh} , who noted {1=a mod sym} about {$n} "
            "days "
            "prior to admission .",
            "The patient was in {$his} usual state of health until {$n} days ago , when {$he} "
            "developed {a mod sym} , {a sym} , and {a sym} .",
            "This {$age}-year-old {$man} with {a dx@o} was brought in by ambulance after {$his} "
            "family "
            "noticed {a sym} .",
        ],
        "dev": [
            "A {$age}-year-old {$man} known to have {a dx@o} was referred by Dr. {$doctor} "
            "because of "
            "{a mod sym} .",
            "{$name} , a {$age}-year-old {$job} , reports {$n} weeks of {a sym} and {a sym} .",
            "The patient , a {$man} of {$age} with {pmh} , arrived from clinic with {a mod sym} .",
        ],
        "test": [
            "{$name} , a {$age}-year-old {$job} , was sent in from {$place} after {$n} days of "
            "{a mod sym} .",
            "This pleasant {$age}-year-old {$man} carries diagnoses of {a dx} and {pmh} and now "
            "returns with {a mod sym} and {a sym} .",
            "{$age}-year-old {$man} , previously healthy apart from {pmh} , awoke on the day of "
            "admission with {a mod sym} .",
            "The patient , who has {mod dx} and underwent {psh} in {$year} , called Dr. {$doctor} "
            "to report {a sym} .",
            "Known {dx@o} ; now here with {$n} days of {a mod sym} , also {a sym} .",
        ],
    },
    "hpi_more": {
        "all": [
            "{$He} denies {ros*no} , {ros*no} , or {ros*no} .",
            "There was no {ros*no} .",
        ],
        "train": [
            "{$He} also complained of {a mod sym} but denied {ros*no} and {ros*no} .",
            "No {ros*no} , {ros*no} , {ros*no} .",
            "{$He} has had no {ros*no} or {ros*no} since the last visit to the pain clinic .",
            "{1=a img} in the Emergency Department showed {2=a mod find} . || 1 TeRP 2",
            "In the ED , {1=a img} was performed for {2=the sym} and revealed {3=a find} . "
            "|| 1 TeCP 2 , 1 TeRP 3",
            "{$He} was treated with {1=drug} for {2=a dx} and felt somewhat better . || 1 TrAP 2",
            "{$His} outpatient physician prescribed {1=drug} , and {2=the sym} improved . || 1 "
            "TrIP 2",
            "{1=the sym} got worse despite {2=drug} at home . || 2 TrWP 1",
            "{$He} gets {1=exert*cond} with {$circ1} , but not at rest .",
            "{$He} reports {1=exert*cond} only after {$circ1} .",
            "{$His} primary care doctor was concerned about {a dx*maybe} and sent {$him} to the "
            "clinic .",
            "{1=the sym} {$was1} attributed to {2=a dx} . || 1 PIP 2",
            "{$He} took {1=drug} without relief of {2=the sym} . || 1 TrWP 2",
            "{$He} had recently undergone {psh} without {problem:complications*no} .",
            "The patient stopped taking {1=adv.t} because it caused {2=adv.p} . || 1 TrCP 2",
            "{$His} {test:blood pressure} was {$bp} on arrival , and {$he} was given {proc} .",
            "At {$place} {$he} received {1=drug} and {2=proc} for presumed {3=dx*maybe} . "
            "|| 1 TrAP 3 , 2 TrAP 3",
            "{$He} missed two visits to the pain clinic and one to {$service} .",
        ],
        "dev": [
            "{$He} has not had {ros*no} , {ros*no} or {ros*no} .",
            "{1=the img} obtained at triage demonstrated {2=a mod find} . || 1 TeRP 2",
            "{$He} was given {1=drug} for {2=the sym} with good effect . || 1 TrIP 2",
            "A course of {1=drug} did not help , and {2=the sym} progressed . || 1 TrWP 2",
            "When {$circ1} , {$he} notices {1=exert*cond} .",
            "{$His} family worried about {a dx*maybe} .",
            "{1=the sym} prompted {2=a img} in clinic . || 2 TeCP 1",
            "{1=adv.t} was tried last {$season} but led to {2=adv.p} . || 1 TrCP 2",
        ],
        "test": [
            "Pertinent negatives include {ros*no} , {ros*no} and {ros*no} .",
            "{$He} specifically denied any {ros*no} or {ros*no} when asked in triage .",
            "{1=a img} done at the outside facility was notable for {2=a mod find} . || 1 TeRP 2",
            "Because of {1=the sym} , Dr. {$doctor} ordered {2=a img} . || 2 TeCP 1",
            "{$He} took {1=drug} at home , after which {2=the sym} subsided . || 1 TrIP 2",
            "Over the following week {1=the sym} intensified in spite of {2=drug} . || 2 TrWP 1",
            "{$He} experiences {1=exert*cond} whenever {$circ1} .",
            "{1=exert*cond} {$is1} brought on by {$circ1} and settles with rest .",
            "The referring physician raised the possibility of {a dx*maybe} .",
            "{1=adv.t} had been started in the {$season} but was abandoned after {$he} developed "
            "{2=adv.p} . || 1 TrCP 2",
            "{$He} had been receiving {1=drug} and {2=proc} for {3=mod dx} . || 1 TrAP 3 , 2 TrAP "
            "3",
            "{1=the sym} {$was1} felt to reflect {2=a mod dx*maybe} . || 1 PIP 2",
            "{$He} fell behind with appointments at the {$service} clinic over the summer .",
        ],
    },
    "pmh": {
        "all": ["{pmh} .", "{dx@o} .", "status post {psh} in {$year} ."],
        "train": [
            "{1=chr.p} , well controlled on {2=chr.t} . || 2 TrAP 1",
            "{1=dx@o} , on {2=drug@o} . || 2 TrAP 1",
            "History of {a dx@o} , followed by {$service} .",
            "{1=dx@o} complicated by {2=a comp@o} . || 1 PIP 2",
            "s/p {psh} , {$year} .",
            "{pmh} and {pmh} .",
            "{1=dx@o} status post {2=proc@o} . || 2 TrAP 1",
        ],
        "dev": [
            "{pmh} since {$year} .",
            "{1=dx@o} treated with {2=drug@o} . || 2 TrAP 1",
            "{psh} ( {$year} ) .",
        ],
        "test": [
            "{pmh} , diagnosed {$year} .",
            "{1=mod dx@o} , maintained on {2=drug@o} . || 2 TrAP 1",
            "{1=dx@o} with resultant {2=a comp@o} . || 1 PIP 2",
            "Remote {psh} at {$place} .",
            "{pmh} , {pmh} .",
            "{dx@o} ( managed by {$service} ) .",
        ],
    },
    "pmh_sentence": {
        "all": ["Significant for {pmh} , {pmh} , and {dx@o} ."],
        "train": [
            "Notable for {1=mod dx@o} , for which {$he} takes {2=drug@o} , and {3=pmh} . || 2 "
            "TrAP 1",
            "Remarkable for {pmh} , {pmh} , and {psh} in {$year} .",
        ],
        "dev": ["Includes {pmh} , {dx@o} and a remote {psh} ."],
        "test": [
            "{pmh} ; {dx@o} ; {pmh} ; {psh} in {$year} .",
            "The chart lists {pmh} , {mod dx@o} and {pmh} .",
        ],
    },
    "psh": {
        "all": ["{psh} in {$year} ."],
        "train": ["Status post {psh} .", "{psh} and {psh} .", "{psh} , uncomplicated , {$year} ."],
        "dev": ["{psh} , {$year} , at {$place} ."],
        "test": ["{$year} : {psh} .", "{psh} as a young adult , {psh} in {$year} ."],
    },
    "meds": {
        "all": [
            "{1=drug} {$dose1} .",
            "{1=otc} {$dose1} .",
            "{1=drug@o} {$dose1}",
        ],
        "train": [
            "{1=prn.t} p.r.n. for {2=prn.p*if} . || 1 TrAP 2",
            "{1=drug@o} {$dose1} for {2=dx@o} . || 1 TrAP 2",
            "{1=otc} {$dose1} and {2=otc} {$dose2} .",
            "{1=prn.t} one tablet every six hours as needed for {2=prn.p*if} || 1 TrAP 2",
        ],
        "dev": [
            "{1=prn.t} if needed for {2=prn.p*if} . || 1 TrAP 2",
            "{1=drug} {$dose1} ( for {2=dx} ) . || 1 TrAP 2",
        ],
        "test": [
            "{1=prn.t} to be taken as necessary for {2=prn.p*if} . || 1 TrAP 2",
            "{1=drug@o} {$dose1} , indication {2=dx@o} . || 1 TrAP 2",
            "{1=prn.t} ( prn {2=prn.p*if} ) || 1 TrAP 2",
            "{1=otc} {$dose1} , new this admission",
        ],
    },
    "allergy": {
        "all": ["{1=allergy.t} causes {2=allergy.p*cond} . || 1 TrCP 2"],
        "train": [
            "{$He} is allergic to {1=allergy.t} , which gives {$him} {2=allergy.p*cond} . || 1 "
            "TrCP 2",
            "{1=allergy.t} ( {2=allergy.p*cond} ) . || 1 TrCP 2",
            "No known drug allergies .",
            "NKDA .",
            "{1=allergy.t} leads to {2=allergy.p*cond} ; tolerates {otc} . || 1 TrCP 2",
        ],
        "dev": ["{1=allergy.t} - {2=allergy.p*cond} . || 1 TrCP 2", "None known ."],
        "test": [
            "Develops {2=allergy.p*cond} when exposed to {1=allergy.t} . || 1 TrCP 2",
            "{1=allergy.t} : reaction is {2=allergy.p*cond} . || 1 TrCP 2",
            "Denies drug allergies .",
        ],
    },
    "family": {
        "all": ["{$His} mother had {fam*family} ."],
        "train": [
            "Father died of {fam*family} at age {$oldage} .",
            "Significant for {fam*family} in {$his} mother and {fam*family} in a brother .",
            "Positive for {fam*family} . No family history of {fam*no} .",
            "A sister has {fam*family} ; {$his} children are healthy .",
            "There is a strong family history of {fam*family} and {fam*family} .",
            "Noncontributory .",
        ],
        "dev": [
            "{$His} brother was diagnosed with {fam*family} .",
            "Grandfather with {fam*family} .",
        ],
        "test": [
            "{fam*family} in a maternal aunt ; father living at {$oldage} .",
            "Two siblings are affected by {fam*family} .",
            "Both parents suffered from {fam*family} , and a cousin has {fam*family} .",
            "No relatives with {fam*no} ; paternal uncle had {fam*family} .",
        ],
    },
    "social": {
        "all": ["{$He} works as a {$job} and lives with {$his} family ."],
        "train": [
            "{$He} quit smoking in {$year} and drinks alcohol on weekends .",
            "Lives alone at {$place} , ambulates with a cane .",
            "Retired {$job} , married , with {$n} grandchildren .",
            "{$He} has a 30 pack year smoking history .",
            "{$He} volunteers in the cancer center gift shop .",
        ],
        "dev": ["Never smoker , {$job} by trade .", "{$He} drives for the diabetes foundation ."],
        "test": [
            "Widowed , former {$job} , no tobacco .",
            "{$He} lives above a surgical supply store and walks to the dialysis unit where {$his} "
            "sister works .",
            "Shares an apartment near {$place} ; occasional wine .",
        ],
    },
    "vitals": {
        "all": [
            "{test:blood pressure} {$bp} , {test:heart rate} {$hr} , {test:temperature} {$temp} .",
        ],
        "train": [
            "VITAL SIGNS : {test:temperature} {$temp} , {test:pulse} {$hr} , {test:respirations} "
            "{$rr} , "
            "{test:BP} {$bp} .",
            "{$His} {test:blood pressure} was {$bp} with {test:a heart rate} of {$hr} and "
            "{test:oxygen saturation} of {$sat} on room air .",
            "{test:BP} {$bp} , {test:HR} {$hr} , afebrile .",
        ],
        "dev": [
            "Vitals : {test:T} {$temp} , {test:P} {$hr} , {test:BP} {$bp} , {test:O2 saturation} "
            "{$sat} .",
        ],
        "test": [
            "On arrival {test:the temperature} was {$temp} , {poss test:pulse rate} {$hr} , "
            "{test:blood pressure} {$bp} .",
            "{test:Tmax} {$temp} , {test:heart rate} {$hr} , {test:respiratory rate} {$rr} , "
            "{test:pulse oximetry} {$sat} .",
        ],
    },
    "exam": {
        "all": [
            "The lungs are clear and the heart is regular .",
            "There was {a mod sign} .",
        ],
        "train": [
            "GENERAL : Well-developed {$man} in {problem:no acute distress*no} .",
            "Remarkable for {a mod sign} .",
            "GENERAL : Looks older than the stated age , with {a sign} .",
            "EXTREMITIES : No {problem:edema*no} , {problem:cyanosis*no} , or "
            "{problem:clubbing*no} .",
            "Examination was remarkable for {1=a mod sign} and {2=a sign} .",
            "NEURO : Alert and oriented , cranial nerves intact .",
            "{$He} had {1=a mod sign} without {2=ros*no} .",
            "{1=a mod sign} {$was1} noted , consistent with {2=a dx} . || 1 PIP 2",
            "HEENT : Pupils equal , oropharynx clear , neck supple .",
            "SKIN : No {problem:rash*no} .",
            "CARDIAC : Regular rate and rhythm , no {problem:murmurs*no} , {problem:rubs*no} , or "
            "{problem:gallops*no} .",
        ],
        "dev": [
            "On inspection there was {1=a mod sign} .",
            "No {problem:murmur*no} and no {problem:organomegaly*no} .",
            "{sign} and {sign} were present .",
            "The back and spine were unremarkable .",
        ],
        "test": [
            "The {$man} appeared tired but comfortable , with {1=a mod sign} .",
            "Chest : breath sounds equal , no {problem:wheezes*no} .",
            "Positive for {1=a mod sign} ; negative for {problem:organomegaly*no} .",
            "Further examination brought out {1=a mod sign} , suggesting {2=a dx*maybe} . || 1 "
            "PIP 2",
            "Extremities warm , free of {problem:cyanosis*no} or {problem:swelling*no} .",
            "Neck without {problem:bruits*no} ; cranial nerves and gait normal .",
            "{sign} persisted , though {sign} had cleared .",
        ],
    },
    "labs": {
        "all": [
            "{1=nlab} {$val1} , {2=nlab} {$val2} , {3=nlab} {$val3} .",
            "{1=lab} was {$val1} .",
        ],
        "train": [
            "Laboratory studies showed {1=a lab} of {$val1} and {2=nlab} of {$val2} .",
            "{1=the img} showed {2=a mod find} . || 1 TeRP 2",
            "{1=a img} revealed {2=a mod find} and {3=a find} . || 1 TeRP 2 , 1 TeRP 3",
            "{1=mod lab} was elevated at {$val1} .",
            "{1=a genimg} was within normal limits .",
            "{1=the img} was negative for {2=neg*no} . || 1 TeRP 2",
            "{1=genimg} and {2=nlab} ( {$val2} ) were unremarkable .",
            "{1=a mod img} demonstrated {2=find} , suggestive of {3=dx*maybe} . "
            "|| 1 TeRP 2 , 1 TeRP 3 , 2 PIP 3",
            "{1=the lab} on admission was {$val1} , on discharge {$val2lab1} .",
        ],
        "dev": [
            "{1=lab} {$val1} on arrival ; {2=nlab} {$val2} .",
            "{1=the img} disclosed {2=a mod find} . || 1 TeRP 2",
            "{1=a img} excluded {2=neg*no} . || 1 TeRP 2",
            "{1=a genimg} {$was1} sent from the ward .",
        ],
        "test": [
            "Of note , {1=the lab} came back at {$val1} .",
            "{1=a mod img} confirmed {2=a mod find} . || 1 TeRP 2",
            "{1=the img} identified {2=a find} in addition to {3=a find} . || 1 TeRP 2 , 1 TeRP 3",
            "{1=lab} climbed to {$val1} before falling ; {2=nlab} stayed at {$val2} .",
            "{1=a img} raised suspicion for {2=a dx*maybe} . || 1 TeRP 2",
            "{1=a genimg} and {2=the img} were obtained to work up {3=the sym} . || 1 TeCP 3 , 2 "
            "TeCP 3",
            "{1=the img} ruled out {2=neg*no} . || 1 TeRP 2",
            "{1=a genimg} {$was1} normal .",
        ],
    },
    "course": {
        "all": [
            "{$He} was started on {1=drug} for {2=dx} . || 1 TrAP 2",
            "{1=a img} showed {2=a find} . || 1 TeRP 2",
        ],
        "train": [
            "The patient was admitted to the medical floor and treated with {1=drug} and {2=proc} "
            "for "
            "{3=poss dx} . || 1 TrAP 3 , 2 TrAP 3",
            "{1=poss sym} improved with {2=drug} . || 2 TrIP 1",
            "{1=poss sym} resolved after {2=a mod proc} . || 2 TrIP 1",
            "Despite {1=proc} , {2=poss sym} worsened over the next {$n} days . || 1 TrWP 2",
            "{1=drug} failed to control {2=the dx} . || 1 TrWP 2",
            "{1=drug} was held because of {2=a comp} . || 1 TrNAP 2",
            "{1=nap.t} was not given due to {2=nap.p} . || 1 TrNAP 2",
            "{1=nap.t} was discontinued in the setting of {2=a nap.p} . || 1 TrNAP 2",
            "{1=adv.t} was stopped after {$he} developed {2=a adv.p} . || 1 TrCP 2",
            "{$He} developed {1=a adv.p} secondary to {2=adv.t} , which was changed to {3=otc} . "
            "|| 2 TrCP 1",
            "{$His} course was complicated by {1=a mod comp} , which was felt to be due to {2=a "
            "dx} . "
            "|| 1 PIP 2",
            "{1=a dx} with {2=a mod comp} was diagnosed on hospital day {$n} . || 1 PIP 2",
            "{1=a img} was obtained to evaluate {2=poss sym} . || 1 TeCP 2",
            "{1=the mod img} was done to rule out {2=dx*maybe} . || 1 TeCP 2",
            "{$His} {lab} was followed daily by {$service} .",
            "The {$team} service was consulted and recommended {1=a mod proc} for {2=the dx} . "
            "|| 1 TrAP 2",
            "{$He} underwent {1=a mod proc} on {$date} without {2=problem:complications*no} .",
            "{1=the img} on {$date} revealed {2=a mod find} , and {3=drug} was added . || 1 TeRP 2",
            "{$He} remained afebrile and was transferred out of the cardiac care unit .",
            "It was thought that {1=poss problem:symptoms} were possibly due to {2=a dx*maybe} . "
            "|| 1 PIP 2",
            "There was no evidence of {2=comp*no} on {1=img} . || 1 TeRP 2",
            "{1=the sym} {$was1} likely related to {2=a dx*maybe} . || 1 PIP 2",
            "{$He} was continued on {1=drug} , {2=drug} , and {3=otc} .",
            "{$He} received {1=proc} with improvement in {2=poss sym} . || 1 TrIP 2",
            "{1=the lab} peaked at {$val1} and then trended down .",
            "The pain management team and the wound care nurse saw the patient in the afternoon .",
            "{$He} was monitored for {comp*if} while on the stroke unit .",
            "{1=drug} was increased to {$dose1} , and {2=the sym} got better . || 1 TrIP 2",
            "{$He} continued to have {1=a mod sym} , so {2=a mod img} was ordered . || 2 TeCP 1",
            "Questionable {1=comp*maybe} was seen on {2=the img} . || 2 TeRP 1",
            "Some results were pending at the pathology department when {$he} left .",
        ],
        "dev": [
            "{$He} received {1=drug} along with {2=proc} for {3=the dx} . || 1 TrAP 3 , 2 TrAP 3",
            "With {1=proc} , {2=poss sym} eased . || 1 TrIP 2",
            "{1=drug} brought no benefit and {2=poss sym} increased . || 1 TrWP 2",
            "{1=nap.t} was avoided given {2=a nap.p} . || 1 TrNAP 2",
            "{1=a adv.p} occurred as a side effect of {2=adv.t} . || 2 TrCP 1",
            "{1=comp} arose from {2=the dx} . || 1 PIP 2",
            "{$team} requested {1=a mod img} to assess {2=poss sym} . || 1 TeCP 2",
            "{1=the img} was read as {2=a mod find} . || 1 TeRP 2",
            "The team could not exclude {a dx*maybe} .",
            "{$He} never showed signs of {comp*no} .",
            "{1=lab} settled at {$val1} by day {$n} .",
            "The heart failure clinic arranged a scale and a diary .",
            "{$He} went to the operating room for {1=a mod proc} .",
        ],
        "test": [
            "Treatment of {1=poss dx} consisted of {2=drug} followed by {3=a mod proc} . "
            "|| 2 TrAP 1 , 3 TrAP 1",
            "{$team} advised {1=a mod proc} to address {2=the dx} . || 1 TrAP 2",
            "Thanks to {1=drug} , {2=poss sym} abated within {$n} days . || 1 TrIP 2",
            "{1=poss sym} cleared once {2=proc} had begun . || 2 TrIP 1",
            "{1=poss sym} deteriorated while on {2=drug} . || 2 TrWP 1",
            "{1=the dx} advanced notwithstanding {2=a mod proc} . || 2 TrWP 1",
            "{1=nap.t} was deferred in light of {2=a nap.p} . || 1 TrNAP 2",
            "Given {1=a nap.p} , {2=nap.t} was not an option . || 2 TrNAP 1",
            "{1=adv.t} had to be withdrawn when it triggered {2=a adv.p} . || 1 TrCP 2",
            "{$He} suffered {1=a adv.p} from {2=adv.t} . || 2 TrCP 1",
            "{1=the dx} gave rise to {2=a mod comp} . || 1 PIP 2",
            "{1=a mod comp} ensued , most likely from {2=the dx} . || 1 PIP 2",
            "To investigate {1=poss sym} , {2=a mod img} was arranged . || 2 TeCP 1",
            "{1=the img} uncovered {2=a mod find} . || 1 TeRP 2",
            "We could not rule out {a dx*maybe} , and {$team} was notified .",
            "{comp*no} was never documented .",
            "{1=the lab} drifted from {$val1} to {$val2lab1} .",
            "{$He} spent {$n} nights in the surgical intensive care unit before moving to the "
            "cancer ward .",
            "{$He} tolerated {1=drug} and {2=otc} without {3=problem:difficulty*no} .",
            "Should {1=comp*if} occur , {2=a proc} will be offered . || 2 TrAP 1",
            "The cardiac surgery fellow and the diabetes nurse visited on {$date} .",
            "{$He} was taken for {1=a mod proc} on {$date} , after which {2=poss sym} disappeared "
            ". "
            "|| 1 TrIP 2",
            "{1=a mod img} was repeated for {2=sym} and again pointed to {3=a find} . "
            "|| 1 TeCP 2 , 1 TeRP 3",
        ],
    },
    "instr": {
        "all": [
            "Please call Dr. {$doctor} at {$phone} if {$you} have {ret*if} or {ret*if} .",
            "Follow up with {$service} in {$n} weeks .",
        ],
        "train": [
            "Return to the Emergency Department for {ret*if} , {ret*if} , or {ret*if} .",
            "{$He} was instructed to take {1=prn.t} as needed for {2=prn.p*if} . || 1 TrAP 2",
            "The patient will follow up in the Coumadin clinic on {$later} .",
            "Discharged to {$place} in stable condition .",
            "{$He} should have {1=a lab} checked in {$n} days .",
            "Call if {$you} develop {ret*if} .",
            "{$He} will need {1=a mod img} in {$n} weeks to reassess {2=the dx} . || 1 TeCP 2",
            "If {1=ret*if} occurs , stop {2=drug} and call the clinic . || 2 TrNAP 1",
        ],
        "dev": [
            "Seek care promptly for {ret*if} .",
            "Should {$you} notice {ret*if} , contact {$place} at {$phone} .",
            "Home with services ; see the hypertension clinic in {$n} weeks .",
            "Use {1=prn.t} when {2=prn.p*if} occurs . || 1 TrAP 2",
        ],
        "test": [
            "Come back right away in case of {ret*if} or {ret*if} .",
            "Notify {$place} ( {$phone} ) should {ret*if} arise .",
            "{$He} may use {1=prn.t} whenever {2=prn.p*if} bothers {$him} . || 1 TrAP 2",
            "Visiting nurse to check {lab} in {$n} days and fax the result to {$service} .",
            "Watch for {ret*if} and {ret*if} ; report to the anticoagulation clinic .",
            "Discharged home in good condition with a pulmonary rehabilitation brochure .",
        ],
    },
    "subj": {
        "all": ["{$He} denies {ros*no} and {ros*no} ."],
        "train": [
            "Patient reports that {1=the sym} {$is1} better today .",
            "{$He} had {1=a mod sym} overnight and received {2=drug} . || 2 TrAP 1",
            "{1=the sym} {$was1} relieved by {2=drug} . || 2 TrIP 1",
            "No {problem:acute events*no} overnight ; no {ros*no} .",
            "{$He} slept well and is tolerating a regular diet .",
            "Still complains of {1=a mod sym} despite {2=drug} . || 2 TrWP 1",
            "{$He} feels {1=exert*cond} with {$circ1} .",
            "Patient states that {1=adv.t} gives {$him} {2=adv.p} . || 1 TrCP 2",
        ],
        "dev": [
            "Feels stronger , though {1=a mod sym} lingers .",
            "Woke with {2=sym} ; {1=drug} helped . || 1 TrIP 2",
            "{1=exert*cond} noticed after {$circ1} .",
            "Ate breakfast and walked to the radiology waiting room .",
        ],
        "test": [
            "Says {1=the sym} {$is1} less bothersome since {2=drug} was begun . || 2 TrIP 1",
            "Troubled by {1=a mod sym} this morning ; {2=drug} did not help . || 2 TrWP 1",
            "Free of {ros*no} , but {1=a mod sym} continues .",
            "Blames {1=adv.t} for {2=adv.p} . || 1 TrCP 2",
            "Notes {1=exert*cond} on {$circ1} .",
            "Worked with the stroke rehabilitation group and ate lunch .",
        ],
    },
    "plan": {
        "all": ["Continue {1=drug} for {2=dx} . || 1 TrAP 2", "Check {lab} in the morning ."],
        "train": [
            "{1=dx} : continue {2=drug} and follow {lab} . || 2 TrAP 1",
            "{1=dx} - likely cause of {2=the sym} . || 1 PIP 2",
            "Will obtain {1=a mod img} to evaluate for {2=a comp*maybe} . || 1 TeCP 2",
            "Hold {1=nap.t} given {2=nap.p} . || 1 TrNAP 2",
            "Possible {1=dx*maybe} ; will check {2=lab} . || 2 TeCP 1",
            "Cannot rule out {comp*maybe} .",
            "{1=dx} , status post {2=proc} , doing well . || 2 TrAP 1",
            "{1=the sym} may represent {2=a dx*maybe} . || 1 PIP 2",
            "If {comp*if} develops , will call {$service} .",
            "Start {1=drug} {$dose1} for {2=the dx} . || 1 TrAP 2",
            "{1=mod dx} is responding to {2=drug} . || 2 TrIP 1",
            "Doubt {comp*no} .",
            "{1=exert*cond} with {$circ1} : advised to rest between activities .",
            "{1=chr.p} : stable on {2=chr.t} . || 2 TrAP 1",
            "Transfer to rehabilitation when a bed in the hip fracture program opens .",
        ],
        "dev": [
            "{1=dx} : add {2=drug} {$dose2} . || 2 TrAP 1",
            "Suspect {1=dx*maybe} ; await {2=img} . || 2 TeCP 1",
            "Avoid {1=nap.t} in view of {2=nap.p} . || 1 TrNAP 2",
            "{1=the sym} probably {$is1} from {2=comp*maybe} . || 1 PIP 2",
            "In the event of {1=comp*if} , give {2=proc} . || 2 TrAP 1",
            "Discuss with infection control .",
        ],
        "test": [
            "{1=mod dx} - keep on {2=drug} , trend {3=lab} . || 2 TrAP 1",
            "Concern for {1=comp*maybe} ; proceed with {2=img} . || 2 TeCP 1",
            "No {1=nap.t} because {$he} has {2=a nap.p} . || 1 TrNAP 2",
            "{dx*maybe} remains on the differential .",
            "Low threshold for {1=a img} if {2=comp*if} appears . || 1 TeCP 2",
            "{1=poss dx} seems to be yielding to {2=proc} . || 2 TrIP 1",
            "{1=the sym} presumably {$is1} a consequence of {2=a dx} . || 1 PIP 2",
            "{1=chr.p} : unchanged , on {2=chr.t} . || 2 TrAP 1",
            "{comp*no} unlikely .",
            "Limit {$circ1} , as it provokes {1=exert*cond} .",
            "Await advice from the epilepsy center and the blood bank .",
        ],
    },
    "rad_exam": {
        "all": ["EXAM : {img}"],
        "train": ["{img} {$date}", "PROCEDURE : {img} ."],
        "dev": ["STUDY : {img} , {$date}"],
        "test": ["TYPE OF EXAMINATION : {img}", "{img} performed {$date} ."],
    },
    "rad_indication": {
        "all": ["{$age}-year-old {$man} with {sym} ."],
        "train": [
            "{1=sym} , rule out {2=dx*maybe} .",
            "{$age} year old {$man} with {a dx} and {a mod sym} , evaluate for {a comp*maybe} .",
            "{1=dx} , status post {2=proc} . || 2 TrAP 1",
        ],
        "dev": ["{sym} ; question of {dx*maybe} ."],
        "test": [
            "{a mod sym} , assess for {dx*maybe} .",
            "{dx} , now with {sym} .",
            "{$age}{$sex} , {dx*maybe} suspected .",
        ],
    },
    "rad_technique": {
        "all": ["COMPARISON : {$earlier} ."],
        "train": [
            "TECHNIQUE : Images were acquired in the usual manner in the pain center suite .",
            "COMPARISON : {test:Prior study} of {$earlier} .",
            "COMPARISON : None .",
            "The requesting cancer center was informed by telephone .",
        ],
        "dev": ["TECHNIQUE : Standard views were acquired .", "Compared with {$earlier} ."],
        "test": [
            "TECHNIQUE : Multiplanar images were reconstructed at the stroke workstation .",
            "Reference is made to {test:the previous study} from {$earlier} .",
        ],
    },
    "rad_findings": {
        "all": ["There is {1=a mod find} ."],
        "train": [
            "There is {1=a mod find} , which may represent {2=a dx*maybe} . || 1 PIP 2",
            "{1=a mod find} {$is1} again seen .",
            "{1=the img} demonstrates {2=a mod find} with {3=a find} . || 1 TeRP 2 , 1 TeRP 3",
            "No {neg*no} or {neg*no} .",
            "There is no evidence of {neg*no} .",
            "{1=a mod find} {$is1} noted , without {2=neg*no} .",
            "{$normal} are normal .",
            "{1=a mod find} {$is1} concerning for {2=a comp*maybe} . || 1 PIP 2",
            "{$normal} appear unremarkable .",
            "Surgical clips are present in the usual position .",
            "Given the history of {a dx} , {1=the find} {$is1} expected .",
        ],
        "dev": [
            "{1=the img} depicts {2=a mod find} . || 1 TeRP 2",
            "{1=a mod find} , possibly {2=dx*maybe} , newly developed since last year . || 1 PIP 2",
            "Neither {neg*no} nor {neg*no} is seen .",
            "{$normal} are intact .",
        ],
        "test": [
            "Images show {1=a mod find} and {2=find} .",
            "{1=a mod find} {$is1} present , raising the question of {2=a dx*maybe} . || 1 PIP 2",
            "{1=neg*no} {$is1} not identified .",
            "Negative for {neg*no} and {neg*no} .",
            "Since {1=test:the prior examination} , {2=a find} has developed . || 1 TeRP 2",
            "{1=a mod find} could indicate {2=a comp*maybe} . || 1 PIP 2",
            "{$normal} are within normal limits .",
            "Leads and clips project over the field of view .",
        ],
    },
    "rad_impression": {
        "all": ["{1=mod find} ."],
        "train": [
            "{1=mod find} consistent with {2=a dx} . || 1 PIP 2",
            "No {neg*no} .",
            "Findings suspicious for {a dx*maybe} .",
            "{1=mod find} , likely {2=dx*maybe} . || 1 PIP 2",
            "Study otherwise unremarkable .",
            "Recommend {1=a img} for further evaluation of {2=the find} . || 1 TeCP 2",
        ],
        "dev": [
            "{1=mod find} , in keeping with {2=a dx} . || 1 PIP 2",
            "{neg*no} excluded .",
            "{1=a img} is advised to clarify {2=the find} . || 1 TeCP 2",
        ],
        "test": [
            "{1=mod find} , compatible with {2=a dx} . || 1 PIP 2",
            "Appearance favors {dx*maybe} .",
            "No {neg*no} detected .",
            "{1=the find} could be pursued with {2=a mod img} . || 2 TeCP 1",
            "{comp*maybe} cannot be excluded .",
        ],
    },
    "path_spec": {
        "all": ["{$site} , {pathproc} ."],
        "train": ["A. {$site} , {pathproc} .", "1. {pathproc} of {$site} ."],
        "dev": ["{$site} ( {pathproc} ) ."],
        "test": ["Part 1 : {$site} , {pathproc}"],
    },
    "path_hist": {
        "all": ["{$age}-year-old {$man} with {a dx} ."],
        "train": [
            "{1=sym} ; {2=img} shows {3=find} . || 2 TeRP 3",
            "Rule out {dx*maybe} .",
            "History of {2=a dx} , treated with {1=drug} . || 1 TrAP 2",
        ],
        "dev": ["{sym} , suspected {dx*maybe} ."],
        "test": [
            "{sym} and {sign} ; query {dx*maybe} .",
            "{1=img} disclosed {2=a find} . || 1 TeRP 2",
            "Prior {1=proc} for {2=dx} . || 1 TrAP 2",
        ],
    },
    "path_gross": {
        "all": ["Received in formalin labeled with the patient 's name are {$n} tan fragments ."],
        "train": [
            "The specimen measures {$n} x {$n} x 0.{$n} cm and is entirely submitted .",
            "The cut surface is firm and white .",
            "Representative sections are submitted to the tumor registry in {$n} cassettes .",
        ],
        "dev": ["The tissue is soft , red-brown and bisected .", "Submitted in {$n} blocks ."],
        "test": [
            "The container holds an ellipse of tissue , {$n}.{$n} cm , inked and serially "
            "sectioned .",
            "A second portion is set aside for the breast and bone bank .",
        ],
    },
    "path_main": {
        "all": ["{pathdx} ."],
        "train": [
            "{1=pathdx} with {2=pathfind} . || 1 PIP 2",
            "{pathdx} , see comment .",
            "{1=pathdx} and {2=pathfind} .",
        ],
        "dev": ["{1=pathdx} showing {2=pathfind} . || 1 PIP 2"],
        "test": [
            "{1=pathdx} accompanied by {2=pathfind} . || 1 PIP 2",
            "Sections contain {pathdx} .",
        ],
    },
    "path_dx": {
        "all": ["No {pathfind*no} ."],
        "train": [
            "Negative for {pathfind*no} .",
            "{pathfind} identified .",
            "No evidence of {pathfind*no} or {pathfind*no} .",
            "Findings suspicious for {pathdx*maybe} .",
        ],
        "dev": ["{pathfind*no} not seen .", "{pathfind} present ."],
        "test": [
            "{pathfind} , focal .",
            "{pathfind*no} is absent .",
            "Features worrisome for {pathdx*maybe} .",
            "Devoid of {pathfind*no} .",
        ],
    },
    "path_comment": {
        "all": ["{1=a stain} {$was1} performed ."],
        "train": [
            "{1=a stain} is positive in the cells of interest .",
            "{1=a stain} supports the diagnosis of {2=pathdx} . || 1 TeRP 2",
            "{1=a stain} was negative for {2=pathfind*no} . || 1 TeRP 2",
            "The slides were reviewed at the cancer conference , and Dr. {$doctor} concurs .",
            "The differential includes {pathdx*maybe} .",
            "{1=a stain} was ordered to evaluate {2=pathfind} . || 1 TeCP 2",
        ],
        "dev": [
            "{1=a stain} highlights {2=pathfind} . || 1 TeRP 2",
            "{pathdx*maybe} is considered .",
            "Discussed with the melanoma board .",
        ],
        "test": [
            "{1=a stain} marks the lesional cells , establishing {2=pathdx} . || 1 TeRP 2",
            "{1=a stain} was requested in view of {2=pathfind} . || 1 TeCP 2",
            "The possibility of {pathdx*maybe} was entertained .",
            "{1=a stain} failed to reveal {2=pathfind*no} . || 1 TeRP 2",
            "Called to the transplant office by Dr. {$doctor} .",
        ],
    },
}
