"""Invented clinical lexicons for the synthetic sample corpus, grouped by condition.

Entries are separated by ";" and already tokenized. A leading "+" marks a countable singular
(it may take "a"), "#" a plural; everything else is a mass noun or a name. A drug may carry a
dose after "=", a laboratory test a range "low..high". Pairs are written "treatment > problem".
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """One disease with the problems, tests and treatments that plausibly go with it."""

    key: str
    parts: str
    region: str
    service: str
    dx: str
    sym: str = ""
    sign: str = ""
    find: str = ""
    img: str = ""
    lab: str = ""
    drug: str = ""
    proc: str = ""
    comp: str = ""
    adv: str = ""
    nap: str = ""
    site: str = ""
    pathproc: str = ""
    pathdx: str = ""
    pathfind: str = ""
    stain: str = ""


CONDITIONS: tuple[Condition, ...] = (
    # Conditions that occur in all three parts.
    Condition(
        key="heart_failure",
        parts="train dev test",
        region="chest",
        service="cardiology",
        dx="congestive heart failure; CHF; +CHF exacerbation; ischemic cardiomyopathy",
        sym="shortness of breath; SOB; orthopnea; paroxysmal nocturnal dyspnea; weight gain; "
        "swelling of both legs; dyspnea on exertion",
        sign="#bibasilar crackles; jugular venous distention; pitting edema; +third heart sound",
        find="cardiomegaly; pulmonary edema; #bilateral pleural effusions; vascular congestion; "
        "#Kerley B lines",
        img="+chest x-ray; +CXR; +portable chest film; +CT of the chest",
        lab="BNP=820..3400; creatinine=1.5..2.6",
        drug="Lasix=40 mg p.o. q.d.; lisinopril=10 mg p.o. q.d.; carvedilol=6.25 mg p.o. b.i.d.; "
        "digoxin=0.125 mg p.o. q.d.; spironolactone=25 mg p.o. q.d.",
        proc="#IV diuretics; diuresis; fluid restriction; supplemental oxygen",
        comp="respiratory distress; hypoxia; #pleural effusions",
        adv="Lasix > hypokalemia; lisinopril > +dry cough; carvedilol > bradycardia",
        nap="lisinopril > hyperkalemia; carvedilol > hypotension; Lasix > acute renal failure",
    ),
    Condition(
        key="pneumonia",
        parts="train dev test",
        region="chest",
        service="pulmonary",
        dx="pneumonia; +community-acquired pneumonia; right lower lobe pneumonia; PNA",
        sym="+productive cough; fever; #chills; pleuritic chest pain; shortness of breath; malaise",
        sign="#coarse rhonchi; #decreased breath sounds at the right base; tachypnea; egophony",
        find="+right lower lobe infiltrate; consolidation in the left lower lobe; "
        "+airspace opacity; +parapneumonic effusion",
        img="+chest x-ray; +CXR; +CT scan of the chest; +portable chest film",
        lab="white blood cell count=13.1..21.8; lactate=2.2..4.1",
        drug="levofloxacin=500 mg p.o. q.d.; ceftriaxone=1 g IV q.24h.; "
        "azithromycin=250 mg p.o. q.d.; vancomycin=1 g IV q.12h.",
        proc="#IV antibiotics; oxygen by nasal cannula; chest physiotherapy; intubation",
        comp="respiratory failure; septic shock; hypoxia; +empyema",
        adv="levofloxacin > nausea; ceftriaxone > +diffuse rash; azithromycin > diarrhea",
        nap="levofloxacin > +prolonged QT interval; ceftriaxone > +severe penicillin allergy",
    ),
    Condition(
        key="atrial_fibrillation",
        parts="train dev test",
        region="chest",
        service="cardiology",
        dx="atrial fibrillation; afib; paroxysmal atrial fibrillation; AF",
        sym="#palpitations; lightheadedness; fatigue; fluttering in the chest",
        sign="+irregularly irregular rhythm; tachycardia; +rapid ventricular response",
        find="left atrial enlargement; mild mitral regurgitation; +dilated left atrium",
        img="+transesophageal echocardiogram; +echo; +transthoracic echocardiogram",
        lab="INR=1.2..3.9; TSH=0.9..5.2",
        drug="Coumadin=5 mg p.o. q.h.s.; metoprolol=25 mg p.o. b.i.d.; "
        "amiodarone=200 mg p.o. q.d.; diltiazem=120 mg p.o. q.d.",
        proc="rate control; anticoagulation; +DC cardioversion; +heparin drip",
        comp="+embolic stroke; heart failure; +left atrial thrombus",
        adv="Coumadin > +nosebleed; amiodarone > hypothyroidism; metoprolol > bradycardia; "
        "heparin > thrombocytopenia",
        nap="Coumadin > +recent GI bleed; anticoagulation > #frequent falls; "
        "metoprolol > severe asthma",
    ),
    Condition(
        key="diabetes",
        parts="train dev test",
        region="abdomen",
        service="endocrine",
        dx="diabetes mellitus; type 2 diabetes; DM; insulin-dependent diabetes; NIDDM",
        sym="polyuria; polydipsia; blurred vision; numbness in both feet; weight loss",
        sign="#decreased sensation in a stocking distribution; dry mucous membranes; "
        "+shallow plantar ulcer",
        lab="hemoglobin A1c=7.6..12.4; fingerstick glucose=188..412; glucose=211..486",
        drug="metformin=500 mg p.o. b.i.d.; NPH insulin=20 units subq. q.a.m.; "
        "glyburide=5 mg p.o. q.d.; insulin=10 units subq. q.h.s.",
        proc="+sliding scale insulin; +diabetic diet; +insulin drip",
        comp="peripheral neuropathy; diabetic nephropathy; hyperglycemia; retinopathy",
        adv="insulin > hypoglycemia; glyburide > #low blood sugars; metformin > loose stools",
        nap="metformin > +elevated creatinine; glyburide > recurrent hypoglycemia",
    ),
    # Conditions of the training part, some of them also seen in one other part.
    Condition(
        key="coronary_disease",
        parts="train dev",
        region="chest",
        service="cardiology",
        dx="coronary artery disease; CAD; +non-ST elevation myocardial infarction; NSTEMI; "
        "unstable angina",
        sym="substernal chest pain; chest pressure; diaphoresis; pain radiating to the left arm; "
        "exertional angina",
        sign="+soft systolic murmur; +fourth heart sound; #cool extremities",
        find="three-vessel disease; +80 % stenosis of the left anterior descending artery; +left "
        "main lesion; +occluded vein graft",
        img="+cardiac catheterization; +coronary angiogram; +cath",
        lab="troponin=0.12..9.40; CK=240..1480; LDL=121..188",
        drug="aspirin=81 mg p.o. q.d.; Plavix=75 mg p.o. q.d.; Lopressor=50 mg p.o. b.i.d.; "
        "Lipitor=40 mg p.o. q.h.s.; nitroglycerin=0.4 mg sublingual p.r.n.",
        proc="CABG; angioplasty; +drug-eluting stent; coronary artery bypass grafting; "
        "+heparin drip",
        comp="cardiogenic shock; ventricular tachycardia; mitral regurgitation",
        adv="aspirin > gastritis; Lipitor > #muscle aches; nitroglycerin > +throbbing headache; "
        "Plavix > easy bruising",
        nap="Lopressor > bradycardia; aspirin > +bleeding ulcer; Lipitor > #elevated transaminases",
    ),
    Condition(
        key="copd",
        parts="train dev",
        region="chest",
        service="pulmonary",
        dx="COPD; +COPD flare; chronic obstructive pulmonary disease; emphysema",
        sym="wheezing; +cough productive of yellow sputum; dyspnea; chest tightness",
        sign="#diffuse expiratory wheezes; +prolonged expiratory phase; accessory muscle use",
        find="#hyperinflated lungs; #bullous changes; #flattened diaphragms; +apical scar",
        img="+chest x-ray; +CT of the chest; +CXR",
        lab="arterial blood gas; PCO2=51..78; bicarbonate=29..36",
        drug="prednisone=40 mg p.o. q.d.; albuterol=2 puffs inhaled q.4h.; "
        "Advair=1 puff inhaled b.i.d.; Spiriva=18 mcg inhaled q.d.",
        proc="#nebulizer treatments; BiPAP; home oxygen; +steroid taper",
        comp="hypercarbia; respiratory acidosis; pulmonary hypertension",
        adv="prednisone > hyperglycemia; albuterol > tremor; steroids > insomnia",
        nap="BiPAP > altered mental status; prednisone > steroid psychosis",
    ),
    Condition(
        key="renal_failure",
        parts="train test",
        region="abdomen",
        service="renal",
        dx="acute renal failure; ARF; chronic renal insufficiency; acute tubular necrosis",
        sym="decreased urine output; nausea; fatigue; #leg cramps",
        sign="anasarca; asterixis; +pericardial rub",
        find="hydronephrosis; #small echogenic kidneys; cortical thinning; +simple renal cyst",
        img="+renal ultrasound; +ultrasound of the kidneys; +CT without contrast",
        lab="creatinine=2.1..7.8; BUN=41..112; potassium=5.3..6.6",
        drug="Kayexalate=30 g p.o. once; PhosLo=667 mg p.o. t.i.d.; "
        "sodium bicarbonate=650 mg p.o. t.i.d.",
        proc="hemodialysis; IV hydration; #IV fluids; +tunneled dialysis catheter",
        comp="hyperkalemia; volume overload; metabolic acidosis; uremia",
        adv="gentamicin > worsening renal function; IV contrast > acute renal failure; "
        "hemodialysis > hypotension",
        nap="ibuprofen > chronic renal insufficiency; IV contrast > renal failure",
    ),
    Condition(
        key="gi_bleed",
        parts="train test",
        region="abdomen",
        service="gastroenterology",
        dx="gastrointestinal bleeding; upper GI bleed; GIB; peptic ulcer disease",
        sym="melena; hematemesis; #black tarry stools; dizziness; coffee-ground emesis",
        sign="orthostasis; pallor; #guaiac positive stools",
        find="+duodenal ulcer; +visible vessel; erosive gastritis; +adherent clot",
        img="+upper endoscopy; +EGD; +repeat endoscopy",
        lab="hematocrit=19.8..27.4; hemoglobin=6.4..8.9",
        drug="Protonix=40 mg IV b.i.d.; omeprazole=20 mg p.o. q.d.; octreotide=50 mcg IV q.h.",
        proc="+blood transfusion; #two units of packed red blood cells; endoscopic clipping; "
        "nasogastric lavage",
        comp="hypovolemic shock; blood loss anemia; syncope",
        adv="ibuprofen > +gastric ulcer; Naprosyn > gastritis; aspirin > melena",
        nap="Coumadin > melena; heparin > active bleeding; aspirin > +duodenal ulcer",
    ),
    Condition(
        key="embolism",
        parts="train test",
        region="chest",
        service="hematology",
        dx="+pulmonary embolism; PE; +deep venous thrombosis; DVT",
        sym="+swollen left calf; pleuritic chest pain; sudden dyspnea; hemoptysis",
        sign="calf tenderness; sinus tachycardia; asymmetric leg edema",
        find="+filling defect in the right pulmonary artery; right heart strain; +saddle embolus; "
        "+segmental clot",
        img="+CT angiogram of the chest; +PE protocol CT; +chest CT",
        lab="D-dimer=1.2..7.9; PTT=62..118; INR=1.1..3.4",
        drug="Lovenox=80 mg subq. b.i.d.; warfarin=5 mg p.o. q.h.s.; heparin=5000 units subq. "
        "t.i.d.",
        proc="anticoagulation; +IVC filter; thrombolysis; #compression stockings",
        comp="right ventricular failure; hypotension; hypoxemia",
        adv="Lovenox > +abdominal wall hematoma; warfarin > hematuria; heparin > HIT",
        nap="thrombolysis > +recent hemorrhagic stroke; warfarin > +high fall risk",
    ),
    Condition(
        key="cellulitis",
        parts="train dev",
        region="limb",
        service="infectious disease",
        dx="cellulitis; left leg cellulitis; +soft tissue infection; +wound infection",
        sym="redness of the left shin; leg pain; fever; itching; purulent drainage",
        sign="warmth; erythema; +tender fluctuant area; induration",
        find="soft tissue swelling; +subcutaneous fluid collection; fat stranding",
        img="+plain film of the left leg; +CT of the leg; +ultrasound of the calf",
        lab="white count=12.4..18.9; ESR=48..96",
        drug="Keflex=500 mg p.o. q.i.d.; clindamycin=300 mg p.o. q.6h.; Ancef=1 g IV q.8h.; "
        "Bactrim=1 tablet p.o. b.i.d.",
        proc="incision and drainage; leg elevation; #warm compresses; #wet-to-dry dressings",
        comp="bacteremia; +abscess; lymphangitis",
        adv="clindamycin > diarrhea; Bactrim > +rash; vancomycin > red man syndrome",
        nap="Keflex > anaphylaxis to penicillin; Bactrim > +sulfa allergy",
    ),
    Condition(
        key="sepsis",
        parts="train dev",
        region="abdomen",
        service="critical care",
        dx="sepsis; urosepsis; gram-negative bacteremia; septic shock",
        sym="#rigors; confusion; fever; lethargy; weakness",
        sign="hypotension; tachycardia; #cool mottled extremities",
        find="+perinephric abscess; perinephric stranding; bowel wall edema; +splenic abscess",
        img="+CT of the abdomen; +CT scan of the abdomen and pelvis; +abdominal CT",
        lab="lactate=3.1..8.4; white blood cell count=15.2..29.0; procalcitonin=2.4..18.0",
        drug="Zosyn=3.375 g IV q.6h.; Levophed=0.1 mcg IV titrated; cefepime=2 g IV q.12h.",
        proc="fluid resuscitation; #pressors; +central line; mechanical ventilation",
        comp="acute renal failure; disseminated intravascular coagulation; multiorgan failure",
        adv="Zosyn > thrombocytopenia; Levophed > digital ischemia; +central line > +pneumothorax",
        nap="Zosyn > +documented penicillin allergy; fluids > pulmonary edema",
    ),
    Condition(
        key="urinary_infection",
        parts="train",
        region="abdomen",
        service="urology",
        dx="+urinary tract infection; UTI; cystitis; urinary retention",
        sym="dysuria; urinary frequency; urgency; suprapubic pain; foul-smelling urine",
        sign="suprapubic tenderness; +distended bladder; confusion",
        find="pyuria; bacteriuria; #positive nitrites; microscopic hematuria",
        img="+urinalysis; +UA; +urine dipstick",
        lab="white blood cell count=11.8..16.2; urine white cells=25..100",
        drug="ciprofloxacin=500 mg p.o. b.i.d.; Macrobid=100 mg p.o. b.i.d.; Cipro; "
        "Flomax=0.4 mg p.o. q.h.s.",
        proc="+Foley catheter; +voiding trial; straight catheterization",
        comp="delirium; bacteremia; hematuria",
        adv="ciprofloxacin > tendon pain; +Foley catheter > hematuria; Flomax > dizziness",
        nap="Macrobid > poor renal function; ciprofloxacin > +seizure disorder",
    ),
    Condition(
        key="stroke",
        parts="train",
        region="head",
        service="neurology",
        dx="+stroke; CVA; +left middle cerebral artery infarct; TIA; +ischemic stroke",
        sym="slurred speech; right-sided weakness; facial droop; word-finding difficulty; vertigo",
        sign="+right pronator drift; expressive aphasia; left neglect; dysarthria",
        find="+acute infarct in the left basal ganglia; loss of gray-white differentiation; "
        "+dense MCA sign; chronic small vessel disease",
        img="+head CT; +MRI of the brain; +CT scan of the head",
        lab="LDL=112..176; troponin=0.02..0.30; INR=1.0..1.4",
        drug="Aggrenox=1 capsule p.o. b.i.d.; Plavix=75 mg p.o. q.d.; simvastatin=40 mg p.o. "
        "q.h.s.",
        proc="tPA; carotid endarterectomy; speech therapy; physical therapy",
        comp="dysphagia; aspiration pneumonia; hemorrhagic conversion",
        adv="tPA > intracranial hemorrhage; simvastatin > myalgias; Aggrenox > headaches",
        nap="tPA > uncontrolled hypertension; heparin > hemorrhagic conversion",
    ),
    Condition(
        key="cirrhosis",
        parts="train",
        region="abdomen",
        service="hepatology",
        dx="cirrhosis; alcoholic cirrhosis; end-stage liver disease; hepatitis C",
        sym="abdominal distention; confusion; pruritus; increasing abdominal girth",
        sign="jaundice; ascites; spider angiomata; asterixis; #icteric sclerae",
        find="+nodular liver; splenomegaly; moderate ascites; +portal vein thrombosis",
        img="+abdominal ultrasound; +right upper quadrant ultrasound; +liver ultrasound",
        lab="total bilirubin=3.1..14.2; ammonia=68..171; albumin=1.9..2.8; INR=1.5..2.4",
        drug="lactulose=30 cc p.o. t.i.d.; Aldactone=100 mg p.o. q.d.; nadolol=20 mg p.o. q.d.; "
        "rifaximin=550 mg p.o. b.i.d.",
        proc="large-volume paracentesis; TIPS; variceal banding; +liver transplant",
        comp="hepatic encephalopathy; spontaneous bacterial peritonitis; hepatorenal syndrome",
        adv="lactulose > profuse diarrhea; Aldactone > gynecomastia; TIPS > encephalopathy",
        nap="+liver transplant > active alcohol abuse; nadolol > hypotension",
        site="liver",
        pathproc="needle biopsy; transjugular biopsy",
        pathdx="cirrhosis; chronic hepatitis with bridging fibrosis; steatohepatitis",
        pathfind="lobular inflammation; macrovesicular steatosis; bile duct damage",
        stain="+trichrome stain; +iron stain; +reticulin stain",
    ),
    Condition(
        key="breast_cancer",
        parts="train",
        region="chest",
        service="oncology",
        dx="breast cancer; metastatic breast cancer; +right breast mass; breast carcinoma",
        sym="+palpable breast lump; breast pain; nipple discharge; bone pain",
        sign="+firm mass in the upper outer quadrant; axillary adenopathy; skin dimpling",
        find="+spiculated mass; #clustered microcalcifications; #enlarged axillary nodes; "
        "architectural distortion",
        img="+mammogram; +breast ultrasound; +MRI of the breast",
        lab="alkaline phosphatase=142..388; calcium=10.6..12.1",
        drug="tamoxifen=20 mg p.o. q.d.; Arimidex=1 mg p.o. q.d.; Taxol; Adriamycin; Cytoxan",
        proc="+lumpectomy; chemotherapy; +right modified radical mastectomy; radiation therapy",
        comp="lymphedema; febrile neutropenia; +malignant pleural effusion",
        adv="Adriamycin > cardiomyopathy; chemotherapy > neutropenia; Taxol > numbness of the "
        "fingers; tamoxifen > #hot flashes",
        nap="chemotherapy > neutropenia; tamoxifen > +prior deep venous thrombosis",
        site="right breast; left breast",
        pathproc="core biopsy; excisional biopsy; sentinel node biopsy",
        pathdx="invasive ductal carcinoma; ductal carcinoma in situ; +fibroadenoma; "
        "invasive lobular carcinoma",
        pathfind="lymphovascular invasion; comedo necrosis; microcalcifications; perineural "
        "invasion",
        stain="+HER2 stain; #estrogen receptor studies; +cytokeratin stain",
    ),
    Condition(
        key="colon_cancer",
        parts="train",
        region="abdomen",
        service="general surgery",
        dx="colon cancer; +sigmoid mass; metastatic colon carcinoma; rectal cancer",
        sym="bright red blood per rectum; constipation; #pencil-thin stools; weight loss",
        sign="+palpable left lower quadrant mass; #heme-positive stools; hepatomegaly",
        find="+near-obstructing mass in the sigmoid; #liver metastases; +apple-core lesion",
        img="+colonoscopy; +CT of the abdomen and pelvis; +barium enema",
        lab="CEA=8.4..212.0; hematocrit=25.1..31.8",
        drug="5-FU; oxaliplatin; leucovorin; iron sulfate=325 mg p.o. t.i.d.",
        proc="+right hemicolectomy; +low anterior resection; adjuvant chemotherapy; +colostomy",
        comp="bowel obstruction; iron deficiency anemia; +anastomotic leak",
        adv="oxaliplatin > cold sensitivity; iron sulfate > constipation; 5-FU > mucositis",
        nap="surgery > widely metastatic disease; oxaliplatin > severe neuropathy",
        site="sigmoid colon; cecum",
        pathproc="endoscopic biopsy; snare biopsy",
        pathdx="moderately differentiated adenocarcinoma; +tubular adenoma; +hyperplastic polyp",
        pathfind="high-grade dysplasia; #positive lymph nodes; mucosal ulceration",
        stain="#mismatch repair stains; +CDX2 stain",
    ),
    Condition(
        key="lung_cancer",
        parts="train",
        region="chest",
        service="thoracic surgery",
        dx="non-small cell lung cancer; lung cancer; +right upper lobe nodule; lung carcinoma",
        sym="hemoptysis; hoarseness; chronic cough; weight loss; right shoulder pain",
        sign="digital clubbing; +left supraclavicular node; decreased breath sounds",
        find="+spiculated nodule in the right upper lobe; mediastinal adenopathy; postobstructive "
        "atelectasis; #adrenal metastases",
        img="+chest CT; +PET scan; +CT of the chest",
        lab="sodium=124..131; calcium=10.9..12.8",
        drug="carboplatin; etoposide; Decadron=4 mg p.o. q.6h.; MS Contin=30 mg p.o. b.i.d.",
        proc="+right upper lobectomy; palliative radiation; +chest tube; chemotherapy",
        comp="superior vena cava syndrome; hyponatremia; +malignant effusion",
        adv="carboplatin > pancytopenia; MS Contin > sedation; Decadron > steroid myopathy",
        nap="+right upper lobectomy > poor lung function; carboplatin > neutropenia",
        site="right upper lobe of lung; level 7 lymph node",
        pathproc="transbronchial biopsy; wedge biopsy; fine needle aspiration",
        pathdx="squamous cell carcinoma; poorly differentiated adenocarcinoma; +benign granuloma",
        pathfind="pleural invasion; tumor necrosis; vascular invasion",
        stain="+TTF-1 stain; +mucicarmine stain; +p63 stain",
    ),
    Condition(
        key="asthma",
        parts="train",
        region="chest",
        service="allergy",
        dx="asthma; +asthma exacerbation; reactive airway disease; status asthmaticus",
        sym="wheezing; chest tightness; nighttime cough; difficulty breathing",
        sign="#expiratory wheezes; tachypnea; #nasal polyps",
        find="peribronchial thickening; hyperinflation; +mucous plug",
        img="+chest x-ray; +CXR; +high-resolution chest CT",
        lab="eosinophil count=6..14; IgE=210..880",
        drug="Singulair=10 mg p.o. q.h.s.; Flovent=2 puffs inhaled b.i.d.; "
        "albuterol inhaler=2 puffs inhaled q.6h.; Solu-Medrol=60 mg IV q.8h.",
        proc="continuous nebulizers; +prednisone taper; allergen avoidance",
        comp="respiratory fatigue; +pneumothorax; hypoxia",
        adv="Flovent > oral thrush; albuterol > palpitations; Solu-Medrol > agitation",
        nap="propranolol > reactive airway disease; aspirin > #nasal polyps",
    ),
    Condition(
        key="pancreatitis",
        parts="train",
        region="abdomen",
        service="gastroenterology",
        dx="acute pancreatitis; gallstone pancreatitis; pancreatitis; chronic pancreatitis",
        sym="epigastric pain; abdominal pain radiating to the back; vomiting; anorexia",
        sign="epigastric tenderness; abdominal guarding; #hypoactive bowel sounds",
        find="peripancreatic stranding; +pancreatic pseudocyst; dilated common bile duct; "
        "pancreatic necrosis",
        img="+CT scan of the abdomen; +MRCP; +ERCP; +right upper quadrant ultrasound",
        lab="lipase=480..3900; amylase=310..1680; triglycerides=420..2100",
        drug="Dilaudid=2 mg IV q.4h.; morphine=4 mg IV q.4h.; Zofran=4 mg IV q.6h.; "
        "pancrelipase=2 capsules p.o. t.i.d.",
        proc="bowel rest; #aggressive IV fluids; +nasojejunal tube; total parenteral nutrition",
        comp="+pseudocyst; ileus; hypocalcemia",
        adv="morphine > itching; Dilaudid > oversedation; ERCP > pancreatitis",
        nap="oral feeding > persistent vomiting; morphine > respiratory depression",
    ),
    Condition(
        key="hip_fracture",
        parts="train",
        region="limb",
        service="orthopedics",
        dx="+left hip fracture; +femoral neck fracture; osteoporosis; +right wrist fracture",
        sym="left hip pain; inability to bear weight; groin pain; +mechanical fall",
        sign="+shortened externally rotated leg; hip tenderness; ecchymosis over the thigh",
        find="+displaced fracture of the femoral neck; osteopenia; +comminuted intertrochanteric "
        "fracture",
        img="#hip films; +x-ray of the pelvis; +CT of the hip",
        lab="hematocrit=26.4..33.0; vitamin D level=9..22",
        drug="Fosamax=70 mg p.o. weekly; calcium carbonate=500 mg p.o. t.i.d.; "
        "oxycodone=5 mg p.o. q.4h.; Lovenox=40 mg subq. q.d.",
        proc="open reduction and internal fixation; ORIF; +left hip hemiarthroplasty; "
        "physical therapy",
        comp="postoperative anemia; delirium; +pressure ulcer",
        adv="oxycodone > constipation; Fosamax > heartburn; oxycodone > confusion",
        nap="surgery > aortic stenosis; Fosamax > esophageal stricture",
    ),
    Condition(
        key="cholecystitis",
        parts="train",
        region="abdomen",
        service="general surgery",
        dx="acute cholecystitis; cholelithiasis; #gallstones; cholangitis",
        sym="right upper quadrant pain; nausea; fatty food intolerance; fever",
        sign="+positive Murphy sign; right upper quadrant tenderness; scleral icterus",
        find="gallbladder wall thickening; pericholecystic fluid; +impacted stone; #gallstones",
        img="+HIDA scan; +right upper quadrant ultrasound; +ERCP",
        lab="alkaline phosphatase=188..520; total bilirubin=2.2..6.8; white count=12.2..19.4",
        drug="Unasyn=3 g IV q.6h.; Percocet=1 tablet p.o. q.6h.; Toradol=30 mg IV q.6h.",
        proc="+laparoscopic cholecystectomy; +percutaneous cholecystostomy tube; #IV antibiotics",
        comp="+bile leak; gangrenous gallbladder; +retained stone",
        adv="Percocet > nausea; Toradol > acute kidney injury; Unasyn > +maculopapular rash",
        nap="surgery > severe cardiomyopathy; Toradol > renal insufficiency",
        site="gallbladder",
        pathproc="frozen section",
        pathdx="chronic cholecystitis; cholelithiasis; acute gangrenous cholecystitis",
        pathfind="cholesterolosis; serosal hemorrhage; intestinal metaplasia",
        stain="+cytokeratin stain; +Gram stain",
    ),
    Condition(
        key="diverticulitis",
        parts="train",
        region="abdomen",
        service="colorectal surgery",
        dx="diverticulitis; sigmoid diverticulitis; diverticulosis",
        sym="left lower quadrant pain; constipation; #chills; bloating",
        sign="left lower quadrant tenderness; rebound tenderness; low-grade fever",
        find="+pericolonic abscess; colonic wall thickening; free air; #scattered diverticula",
        img="+CT of the abdomen and pelvis; +abdominal film; +flexible sigmoidoscopy",
        lab="white count=12.8..18.8; lactate=1.9..3.0",
        drug="Flagyl=500 mg p.o. t.i.d.; Cipro=500 mg p.o. b.i.d.; Augmentin=875 mg p.o. b.i.d.",
        proc="percutaneous drainage; +sigmoid colectomy; bowel rest; +clear liquid diet",
        comp="perforation; +colovesical fistula; peritonitis",
        adv="Flagyl > +metallic taste; Augmentin > diarrhea",
        nap="colonoscopy > acute diverticulitis; Flagyl > peripheral neuropathy",
    ),
    Condition(
        key="seizure",
        parts="train",
        region="head",
        service="neurology",
        dx="+seizure disorder; epilepsy; +generalized tonic-clonic seizure; #complex partial "
        "seizures",
        sym="loss of consciousness; tongue biting; urinary incontinence; confusion",
        sign="postictal lethargy; horizontal nystagmus; +left tongue laceration",
        find="+left temporal lobe lesion; mesial temporal sclerosis; +cavernous malformation",
        img="+MRI of the brain; +head CT; +brain MRI",
        lab="Dilantin level=4.1..26.0; prolactin=28..61; CK=310..2200",
        drug="Dilantin=100 mg p.o. t.i.d.; Keppra=500 mg p.o. b.i.d.; Depakote=250 mg p.o. b.i.d.; "
        "Ativan=1 mg IV p.r.n.",
        proc="#seizure precautions; +Dilantin load; airway protection",
        comp="status epilepticus; rhabdomyolysis; aspiration",
        adv="Dilantin > ataxia; Keppra > irritability; Ativan > respiratory depression",
        nap="Depakote > hepatitis; Dilantin > +Stevens-Johnson reaction",
    ),
    Condition(
        key="thyroid",
        parts="train",
        region="neck",
        service="endocrine",
        dx="hypothyroidism; +thyroid nodule; Graves disease; +multinodular goiter",
        sym="cold intolerance; heat intolerance; weight gain; neck fullness; hair loss",
        sign="+enlarged thyroid; proptosis; fine tremor; #delayed reflexes",
        find="+hypoechoic nodule in the right lobe; heterogeneous thyroid; tracheal deviation",
        img="+thyroid ultrasound; +radioactive iodine uptake scan; +neck CT",
        lab="TSH=0.01..22.0; free T4=0.3..3.6",
        drug="Synthroid=100 mcg p.o. q.d.; levothyroxine=75 mcg p.o. q.d.; "
        "methimazole=10 mg p.o. t.i.d.; propranolol=20 mg p.o. t.i.d.",
        proc="+total thyroidectomy; radioactive iodine; thyroid replacement",
        comp="atrial arrhythmia; myxedema; hypocalcemia",
        adv="methimazole > agranulocytosis; Synthroid > palpitations; +total thyroidectomy > "
        "hypocalcemia",
        nap="methimazole > agranulocytosis; propranolol > asthma",
        site="right thyroid lobe; thyroid isthmus",
        pathproc="fine needle aspiration; core biopsy",
        pathdx="papillary thyroid carcinoma; +follicular adenoma; Hashimoto thyroiditis",
        pathfind="capsular invasion; extrathyroidal extension; calcification",
        stain="+calcitonin stain; +thyroglobulin stain",
    ),
    # Conditions of the development part only.
    Condition(
        key="aortic_stenosis",
        parts="dev",
        region="chest",
        service="cardiac surgery",
        dx="aortic stenosis; critical aortic stenosis; AS; valvular heart disease",
        sym="syncope; exertional dyspnea; presyncope; reduced exercise tolerance",
        sign="+harsh crescendo murmur; #delayed carotid upstrokes; +sustained apical impulse",
        find="+heavily calcified aortic valve; left ventricular hypertrophy; +valve area of 0.7",
        img="+surface echocardiogram; +TTE; +left heart catheterization",
        lab="BNP=410..1900; hematocrit=28.0..35.5",
        drug="metoprolol=12.5 mg p.o. b.i.d.; atorvastatin=20 mg p.o. q.h.s.; torsemide",
        proc="+aortic valve replacement; AVR; +balloon valvuloplasty; +temporary pacemaker",
        comp="heart block; cardiac tamponade; heart failure",
        adv="+aortic valve replacement > complete heart block; torsemide > gout; "
        "atorvastatin > muscle cramps",
        nap="nitroglycerin > severe aortic stenosis; +aortic valve replacement > #multiple "
        "comorbidities",
    ),
    Condition(
        key="crohn",
        parts="dev",
        region="abdomen",
        service="gastroenterology",
        dx="Crohn disease; +Crohn flare; inflammatory bowel disease; terminal ileitis",
        sym="crampy abdominal pain; bloody diarrhea; weight loss; tenesmus; joint pain",
        sign="right lower quadrant fullness; +perianal fistula; #oral aphthous ulcers",
        find="+stricture of the terminal ileum; mural thickening; #skip lesions; "
        "+enterocutaneous fistula",
        img="+CT enterography; +colonoscopy; +small bowel follow-through",
        lab="CRP=42..138; albumin=2.1..3.0; ESR=51..88",
        drug="mesalamine=800 mg p.o. t.i.d.; Remicade; azathioprine=100 mg p.o. q.d.; "
        "budesonide=9 mg p.o. q.d.",
        proc="+ileocecal resection; parenteral nutrition; #steroid enemas",
        comp="+intra-abdominal abscess; malnutrition; partial obstruction",
        adv="azathioprine > leukopenia; Remicade > +infusion reaction; mesalamine > headaches",
        nap="Remicade > latent tuberculosis; azathioprine > leukopenia",
        site="terminal ileum; ascending colon",
        pathproc="mucosal biopsy; cold forceps biopsy",
        pathdx="chronic active ileitis; active colitis; +inflammatory polyp",
        pathfind="#noncaseating granulomas; crypt abscesses; architectural distortion",
        stain="+CMV immunostain; +acid-fast stain",
    ),
    Condition(
        key="prostate",
        parts="dev",
        region="abdomen",
        service="urology",
        dx="prostate cancer; metastatic prostate cancer; benign prostatic hypertrophy; BPH",
        sym="nocturia; +weak urinary stream; low back pain; hematuria",
        sign="+enlarged prostate; +firm nodule at the left base; spinal tenderness",
        find="#blastic lesions in the pelvis; pelvic adenopathy; +asymmetric prostate",
        img="+bone scan; +pelvic MRI; +CT of the pelvis",
        lab="PSA=6.8..188.0; alkaline phosphatase=160..410",
        drug="Lupron; bicalutamide=50 mg p.o. q.d.; finasteride=5 mg p.o. q.d.",
        proc="+radical prostatectomy; brachytherapy; hormonal therapy; TURP",
        comp="cord compression; obstructive uropathy; pathologic fracture",
        adv="Lupron > hot flashes; brachytherapy > radiation proctitis; TURP > incontinence",
        nap="+radical prostatectomy > advanced age; TURP > coagulopathy",
        site="prostate , left base; prostate , right apex",
        pathproc="needle core biopsy; sextant biopsy",
        pathdx="prostatic adenocarcinoma; high-grade prostatic intraepithelial neoplasia",
        pathfind="perineural invasion; glandular atrophy; extraprostatic extension",
        stain="+PIN-4 stain; +racemase stain",
    ),
    Condition(
        key="gout",
        parts="dev",
        region="limb",
        service="rheumatology",
        dx="gout; acute gouty arthritis; +gout flare",
        sym="right great toe pain; ankle swelling; +painful swollen joint",
        sign="+exquisitely tender first toe; #tophi; overlying erythema",
        find="+joint effusion; #marginal erosions; periarticular swelling",
        img="+x-ray of the right foot; +ultrasound of the ankle; #foot films",
        lab="uric acid=8.4..12.6; ESR=44..80",
        drug="colchicine=0.6 mg p.o. b.i.d.; allopurinol=100 mg p.o. q.d.; "
        "indomethacin=50 mg p.o. t.i.d.",
        proc="+intraarticular steroid injection; +low-purine diet; #ice packs",
        comp="joint destruction; chronic arthropathy",
        adv="colchicine > watery diarrhea; allopurinol > +hypersensitivity rash; "
        "indomethacin > stomach upset",
        nap="indomethacin > renal insufficiency; allopurinol > +acute gout attack",
    ),
    Condition(
        key="meningitis",
        parts="dev",
        region="head",
        service="infectious disease",
        dx="meningitis; bacterial meningitis; viral meningitis; encephalitis",
        sym="photophobia; +stiff neck; +severe frontal headache; somnolence",
        sign="nuchal rigidity; +petechial rash; +positive Kernig sign",
        find="leptomeningeal enhancement; cerebral edema; #small subdural effusions",
        img="+brain MRI; +MRI with contrast; +contrast CT of the head",
        lab="CSF protein=88..310; opening pressure=22..38; white count=14.0..24.8",
        drug="ampicillin=2 g IV q.4h.; acyclovir=700 mg IV q.8h.; dexamethasone=10 mg IV q.6h.",
        proc="#empiric antibiotics; droplet isolation; ventriculostomy",
        comp="hearing loss; seizures; hydrocephalus",
        adv="acyclovir > crystal nephropathy; ampicillin > hives; dexamethasone > hyperglycemia",
        nap="+lumbar puncture > papilledema; ampicillin > anaphylaxis",
    ),
    Condition(
        key="stones",
        parts="dev",
        region="abdomen",
        service="urology",
        dx="nephrolithiasis; #kidney stones; renal colic; +ureteral stone",
        sym="left flank pain; gross hematuria; pain radiating to the groin; vomiting",
        sign="costovertebral angle tenderness; restlessness",
        find="+5 mm stone at the left ureterovesical junction; mild hydroureter; "
        "+staghorn calculus",
        img="+noncontrast CT; +KUB; +intravenous pyelogram",
        lab="creatinine=1.3..2.0; urine red cells=40..100",
        drug="ketorolac=15 mg IV q.6h.; tamsulosin=0.4 mg p.o. q.d.; Vicodin=1 tablet p.o. q.6h.",
        proc="lithotripsy; +ureteral stent; vigorous hydration; stone extraction",
        comp="obstructing hydronephrosis; pyonephrosis",
        adv="Vicodin > drowsiness; +ureteral stent > bladder spasms; ketorolac > dyspepsia",
        nap="ketorolac > worsening renal function; lithotripsy > bleeding diathesis",
    ),
    Condition(
        key="obstruction",
        parts="dev",
        region="abdomen",
        service="general surgery",
        dx="small bowel obstruction; SBO; +incarcerated hernia; adhesive obstruction",
        sym="bilious vomiting; abdominal bloating; obstipation; colicky pain",
        sign="+distended tympanitic abdomen; #high-pitched bowel sounds; voluntary guarding",
        find="#dilated loops of small bowel; +transition point; #air-fluid levels",
        img="+KUB; +upright abdominal film; +CT of the abdomen",
        lab="lactate=2.0..4.8; potassium=2.9..3.4",
        drug="Reglan=10 mg IV q.6h.; potassium chloride=40 mEq IV once; Compazine",
        proc="+nasogastric tube; +exploratory laparotomy; lysis of adhesions; NPO status",
        comp="bowel ischemia; dehydration; bowel perforation",
        adv="Reglan > dystonia; Compazine > restlessness; +nasogastric tube > sinusitis",
        nap="Reglan > complete obstruction; oral contrast > intractable vomiting",
    ),
    # Conditions of the test part only.
    Condition(
        key="lymphoma",
        parts="test",
        region="neck",
        service="hematology",
        dx="non-Hodgkin lymphoma; +diffuse large B-cell lymphoma; Hodgkin disease; lymphoma",
        sym="drenching night sweats; +painless neck lump; unexplained weight loss; pruritus",
        sign="cervical lymphadenopathy; +palpable spleen tip; #rubbery inguinal nodes",
        find="+bulky mediastinal mass; retroperitoneal lymphadenopathy; #hypermetabolic nodes",
        img="+gallium scan; +PET CT; +CT of the neck",
        lab="LDH=412..1280; uric acid=8.1..13.4; platelet count=38..96",
        drug="rituximab; vincristine; doxorubicin; Neupogen=300 mcg subq. q.d.",
        proc="#six cycles of CHOP; +autologous stem cell transplant; involved-field radiation",
        comp="tumor lysis syndrome; neutropenic fever; superior mediastinal syndrome",
        adv="vincristine > foot drop; rituximab > rigors; doxorubicin > +depressed ejection "
        "fraction",
        nap="doxorubicin > +low ejection fraction; rituximab > active hepatitis B",
        site="left cervical lymph node; bone marrow",
        pathproc="excisional lymph node biopsy; marrow core biopsy",
        pathdx="follicular lymphoma; nodular sclerosing Hodgkin lymphoma; reactive hyperplasia",
        pathfind="effaced nodal architecture; Reed-Sternberg cells; geographic necrosis",
        stain="+CD20 stain; +CD30 immunostain; flow cytometry",
    ),
    Condition(
        key="osteomyelitis",
        parts="test",
        region="limb",
        service="infectious disease",
        dx="osteomyelitis; chronic osteomyelitis of the left heel; +diabetic foot infection",
        sym="foot pain; foul drainage from the heel; #subjective fevers",
        sign="+draining sinus tract; +exposed bone; +malodorous ulcer",
        find="cortical destruction; marrow edema; periosteal reaction; +sequestrum",
        img="+MRI of the foot; +three-phase bone scan; #foot films",
        lab="sedimentation rate=78..128; C-reactive protein=64..190",
        drug="nafcillin=2 g IV q.4h.; daptomycin=500 mg IV q.24h.; rifampin=300 mg p.o. b.i.d.",
        proc="surgical debridement; +below-knee amputation; +PICC line; hyperbaric oxygen",
        comp="nonhealing wound; septic arthritis; gangrene",
        adv="nafcillin > interstitial nephritis; rifampin > orange urine; daptomycin > #elevated "
        "muscle enzymes",
        nap="rifampin > #abnormal liver enzymes; +below-knee amputation > refusal of consent",
    ),
    Condition(
        key="endocarditis",
        parts="test",
        region="chest",
        service="cardiology",
        dx="endocarditis; subacute bacterial endocarditis; mitral valve endocarditis; SBE",
        sym="prolonged fevers; #drenching sweats; arthralgias; generalized weakness",
        sign="+new regurgitant murmur; splinter hemorrhages; Janeway lesions",
        find="+mobile vegetation on the mitral valve; #septic emboli; severe mitral insufficiency; "
        "+perivalvular abscess",
        img="+TEE; +transthoracic echo; +echocardiogram",
        lab="rheumatoid factor=31..88; sedimentation rate=66..120",
        drug="penicillin G=4 million units IV q.4h.; gentamicin=80 mg IV q.8h.; "
        "daptomycin=600 mg IV q.24h.",
        proc="+mitral valve replacement; +six-week course of antibiotics; +PICC line",
        comp="+splenic infarct; valve perforation; conduction delay",
        adv="gentamicin > ototoxicity; penicillin G > drug fever",
        nap="gentamicin > preexisting hearing loss; anticoagulation > +mycotic aneurysm",
    ),
    Condition(
        key="ulcerative_colitis",
        parts="test",
        region="abdomen",
        service="gastroenterology",
        dx="ulcerative colitis; UC; +UC flare; pancolitis",
        sym="rectal bleeding; fecal urgency; #mucous stools; lower abdominal cramping",
        sign="diffuse abdominal tenderness; #mild rebound; temporal wasting",
        find="+featureless colon; pseudopolyps; friable mucosa; colonic dilatation",
        img="+flexible sigmoidoscopy; +colonoscopy; +limited sigmoidoscopy",
        lab="fecal calprotectin=420..1900; hemoglobin=7.9..10.2",
        drug="Asacol=800 mg p.o. t.i.d.; infliximab; hydrocortisone=100 mg IV q.8h.; "
        "cyclosporine=150 mg IV q.d.",
        proc="+total proctocolectomy; #hydrocortisone enemas; +ileoanal pouch",
        comp="toxic megacolon; pouchitis; iron deficiency",
        adv="cyclosporine > paresthesias; hydrocortisone > mood swings; Asacol > flank pain",
        nap="infliximab > +positive tuberculin skin test; loperamide > toxic megacolon",
        site="rectum; transverse colon",
        pathproc="colonoscopic biopsy; pinch biopsy",
        pathdx="chronic active colitis; low-grade dysplasia; quiescent colitis",
        pathfind="crypt distortion; cryptitis; basal plasmacytosis",
        stain="+p53 stain; +viral immunostain",
    ),
    Condition(
        key="melanoma",
        parts="test",
        region="head",
        service="dermatology",
        dx="malignant melanoma; metastatic melanoma; +melanoma of the left shoulder",
        sym="+changing mole; +bleeding skin lesion; new onset headaches",
        sign="+irregular pigmented lesion; +satellite nodule; #fixed axillary nodes",
        find="#enhancing brain lesions; vasogenic edema; #subcentimeter lung nodules",
        img="+MRI with gadolinium; +staging CT; +whole-body PET",
        lab="LDH=280..940; S100 level=0.2..1.4",
        drug="interferon; temozolomide=150 mg p.o. q.d.; dacarbazine; "
        "dexamethasone=4 mg p.o. q.6h.",
        proc="wide local excision; axillary dissection; whole brain radiation; immunotherapy",
        comp="hemorrhagic metastasis; midline shift; wound dehiscence",
        adv="interferon > depression; temozolomide > lymphopenia; axillary dissection > +seroma",
        nap="interferon > major depression; temozolomide > severe thrombocytopenia",
        site="left shoulder skin; left axillary sentinel node",
        pathproc="shave biopsy; punch biopsy; frozen section",
        pathdx="superficial spreading melanoma; +compound nevus; +dysplastic nevus",
        pathfind="ulceration; brisk mitotic activity; regression; #involved deep margins",
        stain="+Melan-A stain; +S100 stain",
    ),
    Condition(
        key="subdural",
        parts="test",
        region="head",
        service="neurosurgery",
        dx="+subdural hematoma; SDH; +traumatic brain injury; chronic subdural hemorrhage",
        sym="gait instability; +dull headache; forgetfulness; left arm clumsiness; +unwitnessed "
        "fall",
        sign="+left hemiparesis; +scalp laceration; unequal pupils; disorientation",
        find="+crescentic collection; sulcal effacement; +5 mm midline shift; "
        "+nondisplaced skull fracture",
        img="+noncontrast head CT; +CT of the brain; +trauma CT",
        lab="INR=2.8..6.4; platelet count=61..132",
        drug="levetiracetam=500 mg p.o. b.i.d.; mannitol=50 g IV once; phenytoin=100 mg p.o. "
        "t.i.d.; "
        "vitamin K=10 mg IV once",
        proc="burr hole evacuation; +craniotomy; fresh frozen plasma; neurosurgical drainage",
        comp="uncal herniation; postoperative seizures; obtundation",
        adv="mannitol > hypernatremia; phenytoin > gum swelling; warfarin > supratherapeutic INR",
        nap="aspirin > intracranial bleeding; warfarin > +subdural hematoma",
    ),
    Condition(
        key="appendicitis",
        parts="test",
        region="abdomen",
        service="general surgery",
        dx="acute appendicitis; perforated appendicitis; appendicitis",
        sym="periumbilical pain; right lower quadrant pain; loss of appetite; retching",
        sign="McBurney point tenderness; +positive psoas sign; involuntary guarding",
        find="+dilated appendix; +appendicolith; periappendiceal fat stranding; +pelvic abscess",
        img="+CT with oral contrast; +pelvic ultrasound; +CT of the lower abdomen",
        lab="leukocyte count=12.9..20.7; neutrophil percentage=82..94",
        drug="cefoxitin=2 g IV q.6h.; ertapenem=1 g IV q.24h.; ondansetron=4 mg IV q.8h.; "
        "hydrocodone=5 mg p.o. q.6h.",
        proc="+laparoscopic appendectomy; perioperative antibiotics; CT-guided drainage",
        comp="+wound abscess; paralytic ileus; +stump leak",
        adv="hydrocodone > dysphoria; cefoxitin > urticaria; ondansetron > mild headache",
        nap="ondansetron > QT prolongation; laparoscopy > dense adhesions",
        site="vermiform appendix",
        pathproc="intraoperative frozen section",
        pathdx="acute suppurative appendicitis; +carcinoid tumor; fibrous obliteration",
        pathfind="transmural inflammation; +fecalith; periappendicitis; mural necrosis",
        stain="+chromogranin stain; +synaptophysin stain",
    ),
    Condition(
        key="multiple_sclerosis",
        parts="test",
        region="head",
        service="neurology",
        dx="multiple sclerosis; MS; +MS flare; optic neuritis",
        sym="double vision; leg stiffness; tingling in the hands; urinary hesitancy",
        sign="internuclear ophthalmoplegia; spasticity; brisk reflexes; +ataxic gait",
        find="#periventricular plaques; #enhancing white matter lesions; cord atrophy; +T2 "
        "hyperintense lesion",
        img="+MRI of the cervical spine; +brain MRI; +spinal MRI",
        lab="IgG index=0.8..1.6; vitamin B12=188..240",
        drug="Avonex; baclofen=10 mg p.o. t.i.d.; Copaxone=20 mg subq. q.d.; "
        "methylprednisolone=1 g IV q.d.",
        proc="pulse steroids; gait training; plasma exchange; +intrathecal pump",
        comp="neurogenic bladder; #contractures; decubitus ulceration",
        adv="Avonex > flu-like symptoms; baclofen > drowsiness; methylprednisolone > elevated "
        "sugars",
        nap="Avonex > suicidal ideation; pulse steroids > active infection",
    ),
    Condition(
        key="ovarian_cancer",
        parts="test",
        region="abdomen",
        service="gynecology",
        dx="ovarian cancer; +left adnexal mass; ovarian carcinoma; carcinomatosis",
        sym="pelvic pressure; early satiety; abdominal swelling; postmenopausal spotting",
        sign="+fluid wave; +fixed pelvic mass; cachexia",
        find="+complex cystic mass; omental caking; #peritoneal implants; malignant ascites",
        img="+transvaginal ultrasound; +CT of the pelvis; +staging laparoscopy",
        lab="CA-125=188..2900; albumin=2.0..2.9",
        drug="paclitaxel; cisplatin; topotecan; Doxil",
        proc="+total abdominal hysterectomy; tumor debulking; intraperitoneal chemotherapy; "
        "therapeutic paracentesis",
        comp="malignant bowel obstruction; hydroureteronephrosis; protein malnutrition",
        adv="cisplatin > tinnitus; paclitaxel > alopecia; topotecan > myelosuppression",
        nap="cisplatin > renal impairment; tumor debulking > poor performance status",
        site="left ovary and fallopian tube; omentum",
        pathproc="omental biopsy; peritoneal washings; frozen section",
        pathdx="high-grade serous carcinoma; +mature cystic teratoma; +mucinous cystadenoma",
        pathfind="psammoma bodies; surface involvement; stromal invasion",
        stain="+WT1 stain; +PAX8 stain",
    ),
    Condition(
        key="vascular_disease",
        parts="test",
        region="limb",
        service="vascular surgery",
        dx="peripheral vascular disease; PVD; limb ischemia; claudication",
        sym="rest pain; calf cramping; +cold left foot; toe numbness",
        sign="#absent pedal pulses; dependent rubor; +dusky great toe; #dry eschars",
        find="+occluded superficial femoral artery; infrapopliteal disease; +popliteal aneurysm",
        img="+lower extremity angiogram; +arterial duplex; +CT angiogram of the legs",
        lab="creatinine=1.4..2.2; CPK=380..2900",
        drug="Pletal=100 mg p.o. b.i.d.; clopidogrel=75 mg p.o. q.d.; Trental=400 mg p.o. t.i.d.",
        proc="+femoral-popliteal bypass; +transmetatarsal amputation; +angioplasty of the left "
        "leg; "
        "thrombectomy",
        comp="dry gangrene; compartment syndrome; graft occlusion",
        adv="Pletal > dizziness; +lower extremity angiogram > +groin pseudoaneurysm",
        nap="Pletal > heart failure; +femoral-popliteal bypass > +poor distal target",
    ),
    Condition(
        key="rheumatoid",
        parts="test",
        region="limb",
        service="rheumatology",
        dx="rheumatoid arthritis; RA; +RA flare; inflammatory arthritis",
        sym="morning stiffness; swelling of the knuckles; wrist pain; dry eyes",
        sign="#boggy wrists; ulnar deviation; #rheumatoid nodules; synovitis",
        find="#periarticular erosions; joint space narrowing; #marginal cysts",
        img="#hand films; +x-ray of the wrists; +ultrasound of the wrist",
        lab="rheumatoid factor=82..410; sedimentation rate=48..102",
        drug="methotrexate=15 mg p.o. weekly; Plaquenil=200 mg p.o. b.i.d.; "
        "Enbrel=50 mg subq. weekly; Celebrex=200 mg p.o. q.d.",
        proc="+cortisone injection; occupational therapy; synovectomy; #wrist splints",
        comp="interstitial lung disease; pericarditis; tendon rupture",
        adv="methotrexate > mouth sores; Enbrel > +injection site reaction; Plaquenil > visual "
        "changes",
        nap="methotrexate > heavy alcohol use; Celebrex > renal dysfunction",
    ),
)

# General lists; "all" is added to each part's own list.
GENERAL: dict[str, dict[str, str]] = {
    "ros": {
        "all": "fever; #chills; chest pain; nausea; vomiting; cough",
        "train": "abdominal pain; #night sweats; headache; diarrhea; dysuria; dizziness; syncope; "
        "#visual changes; #palpitations; shortness of breath; hematuria; edema; focal weakness",
        "dev": "#rigors; neck pain; vertigo; rashes; hemoptysis; sore throat; hematochezia",
        "test": "back pain; hearing loss; numbness; #mouth ulcers; "
        "joint swelling; blood in the stool; odynophagia; photophobia; fatigue; weight change",
    },
    "neg_chest": {
        "all": "+pneumothorax; +pleural effusion",
        "train": "focal consolidation; mediastinal widening; +rib fracture; free air",
        "dev": "+hilar mass; pneumomediastinum",
        "test": "pericardial fluid; pulmonary vascular redistribution; +cavitary lesion; volume "
        "loss",
    },
    "neg_abdomen": {
        "all": "free air; free fluid",
        "train": "bowel obstruction; hydronephrosis; +focal liver lesion; +drainable collection",
        "dev": "pneumatosis; #renal calculi; biliary dilatation",
        "test": "+mesenteric mass; portal venous gas; retroperitoneal hemorrhage; adenopathy",
    },
    "neg_head": {
        "all": "hemorrhage; mass effect",
        "train": "midline shift; hydrocephalus; +skull fracture; +large territorial infarct",
        "dev": "abnormal enhancement; +extra-axial collection",
        "test": "tonsillar herniation; venous sinus thrombosis; sinus opacification; new ischemia",
    },
    "neg_limb": {
        "all": "+fracture; dislocation",
        "train": "subcutaneous gas; +radiopaque foreign body; bony destruction",
        "dev": "#loose bodies; chondrocalcinosis",
        "test": "osteolysis; +stress fracture; soft tissue calcification; malalignment",
    },
    "neg_neck": {
        "all": "lymphadenopathy; airway narrowing",
        "train": "+parathyroid mass; +retropharyngeal collection",
        "dev": "vascular encasement",
        "test": "jugular thrombosis; +prevertebral abscess; tonsillar enlargement",
    },
    "fam": {
        "all": "diabetes; hypertension",
        "train": "coronary artery disease; breast cancer; stroke; colon cancer; asthma; "
        "+myocardial infarction; alcoholism; sudden cardiac death",
        "dev": "prostate cancer; glaucoma; dementia; kidney disease",
        "test": "leukemia; multiple sclerosis; lupus; ovarian cancer; +brain tumor; psoriasis; "
        "early heart disease; thyroid trouble",
    },
    "ret": {
        "all": "fever greater than 101; shortness of breath; chest pain",
        "train": "worsening abdominal pain; #black stools; leg swelling; increased redness; "
        "bleeding; lightheadedness; persistent vomiting",
        "dev": "wound drainage; intractable headache; #shaking chills; weight gain",
        "test": "pus from the incision; sudden weakness; #severe headaches; trouble breathing; "
        "inability to urinate; numbness of the leg; #bloody stools; uncontrolled pain",
    },
    "pmh": {
        "all": "hypertension; HTN; hyperlipidemia; depression",
        "train": "GERD; osteoarthritis; anxiety; hypercholesterolemia; sleep apnea; obesity; "
        "chronic low back pain; migraines; glaucoma; anemia; benign prostatic hypertrophy; gout",
        "dev": "psoriasis; #recurrent sinus infections; dyslipidemia; bipolar disorder; "
        "spinal stenosis; macular degeneration",
        "test": "fibromyalgia; obstructive sleep apnea; #cataracts; hiatal hernia; "
        "irritable bowel syndrome; panic attacks; sciatica; latent tuberculosis; vertigo; "
        "restless legs; alcohol dependence; elevated cholesterol",
    },
    "psh": {
        "all": "appendectomy; +total abdominal hysterectomy",
        "train": "CABG; +left total knee replacement; cholecystectomy; +tonsillectomy; "
        "+cesarean section; +pacemaker placement; +inguinal hernia repair; cataract extraction",
        "dev": "+laminectomy; +right carotid endarterectomy; vasectomy; +gastric bypass",
        "test": "+rotator cuff repair; spinal fusion; +splenectomy; +left hip arthroplasty; "
        "+nephrectomy; septoplasty; +tubal ligation; +defibrillator placement; +skin graft",
    },
    "otc": {
        "all": "Tylenol=650 mg p.o. q.6h.; Colace=100 mg p.o. b.i.d.; "
        "multivitamin=1 tablet p.o. q.d.",
        "train": "Percocet=1 tablet p.o. q.6h.; Zantac=150 mg p.o. b.i.d.; Prilosec=20 mg p.o. "
        "q.d.; "
        "Zoloft=50 mg p.o. q.d.; atenolol=25 mg p.o. q.d.; Norvasc=5 mg p.o. q.d.; "
        "hydrochlorothiazide=25 mg p.o. q.d.; folate=1 mg p.o. q.d.",
        "dev": "Paxil=20 mg p.o. q.d.; Pepcid=20 mg p.o. b.i.d.; Diovan=80 mg p.o. q.d.; "
        "Lexapro=10 mg p.o. q.d.",
        "test": "Celexa=20 mg p.o. q.d.; amlodipine=10 mg p.o. q.d.; Nexium=40 mg p.o. q.d.; "
        "gabapentin=300 mg p.o. t.i.d.; thiamine=100 mg p.o. q.d.; losartan=50 mg p.o. q.d.; "
        "Ambien=5 mg p.o. q.h.s.; senna=2 tablets p.o. q.h.s.",
    },
    "nlab": {
        "all": "sodium=134..145; potassium=3.6..4.9; hematocrit=33.0..43.0; glucose=84..132",
        "train": "BUN=9..19; creatinine=0.7..1.2; platelets=160..390; chloride=98..107; "
        "white count=5.1..9.8; magnesium=1.7..2.3",
        "dev": "WBC=4.8..9.6; bicarbonate=22..28; phosphorus=2.6..4.2; ALT=14..38",
        "test": "HCT=34.0..42.0; calcium=8.6..9.9; CO2=22..28; AST=16..40; "
        "leukocyte count=4.9..9.7; urea nitrogen=8..19",
    },
    "genimg": {
        "all": "+EKG; +chest x-ray; +urinalysis",
        "train": "#blood cultures; +CBC; +echocardiogram; +EEG; +urine culture; +Holter monitor; "
        "#liver function tests",
        "dev": "+lumbar puncture; +transrectal ultrasound; +chemistry panel; #coagulation "
        "studies; +type and screen",
        "test": "+bone marrow biopsy; +spinal tap; +stool culture; #visual evoked potentials; "
        "+tox screen; #electrolytes; +complete blood count; +bedside ultrasound; "
        "#cardiac enzymes",
    },
}

# Pairs "treatment > problem"; the problem of a p.r.n. order has not happened.
PAIRS: dict[str, dict[str, str]] = {
    "allergy": {
        "all": "penicillin > +rash; codeine > nausea",
        "train": "sulfa > hives; morphine > itching; iodinated contrast > anaphylaxis; "
        "erythromycin > GI upset; aspirin > facial swelling; lisinopril > cough; Demerol > "
        "vomiting",
        "dev": "tetracycline > photosensitivity; latex gloves > contact dermatitis; "
        "Bactrim > blistering rash",
        "test": "Cipro > lip swelling; adhesive tape > skin blisters; oxycodone > itching; "
        "ampicillin > throat tightness; Motrin > wheezing; statins > muscle pain; "
        "amoxicillin > #diffuse hives",
    },
    "chr": {
        "all": "Norvasc > hypertension; lisinopril > HTN",
        "train": "Prilosec > GERD; Zoloft > depression; atenolol > hypertension; Lipitor > "
        "hypercholesterolemia; Zantac > reflux; Neurontin > chronic low back pain; Flomax > BPH; "
        "Xanax > anxiety; allopurinol > gout; iron > anemia",
        "dev": "Paxil > anxiety; Diovan > high blood pressure; Pepcid > acid reflux; lithium > "
        "bipolar disorder; Crestor > dyslipidemia",
        "test": "Celexa > depression; Nexium > hiatal hernia; losartan > elevated blood pressure; "
        "pravastatin > elevated cholesterol; Requip > restless legs; meclizine > vertigo; "
        "Flexeril > sciatica; isoniazid > latent tuberculosis; Lyrica > fibromyalgia",
    },
    "prn": {
        "all": "Tylenol > pain; Ativan > anxiety",
        "train": "Percocet > pain; Colace > constipation; Compazine > nausea; "
        "nitroglycerin > chest pain; Benadryl > itching; Ambien > insomnia; albuterol > wheezing",
        "dev": "Vicodin > breakthrough pain; Imodium > loose stools; Reglan > nausea",
        "test": "Dilaudid > incisional pain; Zofran > vomiting; Robitussin > cough; "
        "trazodone > difficulty sleeping; Fioricet > headache; simethicone > gas pain; "
        "milk of magnesia > constipation; hydroxyzine > pruritus",
    },
}

# A problem that occurs only under the stated circumstance.
CIRCUMSTANCES: dict[str, str] = {
    "all": "shortness of breath > climbing stairs; chest pain > exertion",
    "train": "dyspnea > walking two blocks; dizziness > standing quickly; wheezing > exposure to "
    "cats; back pain > prolonged sitting; leg pain > walking uphill; cough > lying flat; "
    "chest tightness > exercise; headaches > reading; lightheadedness > standing up",
    "dev": "knee pain > kneeling; palpitations > drinking coffee; breathlessness > carrying "
    "groceries; #leg cramps > walking",
    "test": "calf pain > walking one block; hip pain > bending; sneezing > pollen exposure; "
    "angina > shoveling snow; hand numbness > typing; nausea > riding in a car; "
    "breathlessness > making the bed; jaw pain > chewing; vertigo > rolling over in bed",
}

MODIFIERS: dict[str, dict[str, str]] = {
    "sym": {
        "all": "mild; severe; intermittent; worsening",
        "train": "increasing; persistent; recurrent; some; moderate; progressive",
        "dev": "constant; occasional",
        "test": "episodic; troublesome; longstanding; significant; subacute; new",
    },
    "sign": {
        "all": "mild; moderate",
        "train": "marked; notable; persistent",
        "dev": "slight; obvious",
        "test": "minimal; pronounced; subtle; significant",
    },
    "find": {
        "all": "mild; new",
        "train": "moderate; stable; persistent; extensive; subtle",
        "dev": "unchanged; slight",
        "test": "evolving; minimal; prominent; residual; interval",
    },
    "dx": {
        "all": "recurrent; known",
        "train": "longstanding; newly diagnosed; recent; significant",
        "dev": "advanced; prior",
        "test": "refractory; active; previously treated; new",
    },
    "comp": {
        "all": "mild; worsening",
        "train": "severe; transient; new; progressive",
        "dev": "acute",
        "test": "significant; evolving; early; troublesome",
    },
    "img": {
        "all": "repeat; follow-up",
        "train": "initial; recent; urgent",
        "dev": "confirmatory; routine",
        "test": "outside; subsequent; emergent; limited",
    },
    "lab": {
        "all": "repeat; initial",
        "train": "peak; admission",
        "dev": "baseline",
        "test": "discharge; random; morning",
    },
    "proc": {
        "all": "urgent",
        "train": "emergent; planned; initial",
        "dev": "definitive",
        "test": "early; aggressive; uneventful",
    },
}

# An entry that starts with one of these takes no further modifier.
NO_MODIFIER = """
5 80 absent active acute adjuvant aggressive asymmetric bilateral bulky chronic comminuted
complex cool decreased dense diffuse dilated displaced dry dusky early elective elevated
end-stage enlarged equal exertional extensive fixed frequent fresh full gross increasing
irregular low-grade malignant marked metastatic microscopic mild moderate new nondisplaced
obvious painful perioperative persistent positive postoperative preexisting prior profuse
progressive prolonged recent recurrent reduced repeat severe simple six small soft subacute
subjective sudden sustained tender three-vessel trace two unequal unexplained unstable
voluntary involuntary widely worsening drenching limited
"""

# Word parts of entries that fit only one sex.
FEMALE_ONLY = (
    "hysterectomy cesarean tubal ovar pregnancy adnexal breast mammogram transvaginal nipple "
    "lumpectomy mastectomy postmenopausal"
)
MALE_ONLY = "prostat vasectomy transurethral TURP BPH"

# Words for people, places and times that are no concepts.
SERVICES: dict[str, str] = {
    "all": "cardiology; neurology; surgery; pain management; social work",
    "train": "infectious disease; wound care; heart failure care; transplant; stroke medicine",
    "dev": "palliative care; diabetes education; hepatology",
    "test": "cancer genetics; ostomy nursing; sleep medicine; trauma; dialysis access",
}
NORMAL: dict[str, tuple[str, ...]] = {
    "chest": (
        "The visualized bones , heart size and soft tissues",
        "The trachea , thoracic aorta and chest wall",
    ),
    "abdomen": (
        "The pancreas , adrenal glands and stomach",
        "The aorta , bladder and lung bases",
    ),
    "head": (
        "The orbits , sinuses and mastoid air cells",
        "The brain stem , cerebellum and calvarium",
    ),
    "neck": ("The larynx , airway and great vessels", "The salivary glands and upper lungs"),
    "limb": ("The remaining bones and joint spaces", "The tendons , ligaments and muscles"),
}
SURNAMES = (
    "Abbadale Brightwick Corrowby Dunmarle Elkhurst Farrowmere Gillstead Harthwaite Inglemoor "
    "Jasperton Kettlebrook Lindenfell Marrowdale Netherby Oxcombe Pennwhistle Quillfeather "
    "Rookhollow Silverthatch Thornbucket Underlake Vantrellis Wexcroft Yarrowgate Zimblewick "
    "Payne Hart Coldwell Burns"
)
INITIALS = "A B C D E F G H J K L M N P R S T V W"
FACILITIES: dict[str, str] = {
    "all": "Imaginary General Hospital; Nowhere Rehabilitation Center",
    "train": "Saint Example Hospital; Sample Valley Clinic; Fictional Harbor Nursing Home",
    "dev": "Mock County Medical Center; Pretend Pines Facility",
    "test": "Placeholder Memorial Hospital; Invented Hills Care Center; Testing Lakes Clinic",
}
OCCUPATIONS: dict[str, str] = {
    "all": "teacher; carpenter",
    "train": "bus driver; librarian; retired nurse; farmer; cook",
    "dev": "postal worker; electrician",
    "test": "retired pharmacist; florist; truck driver; lab technician; sculptor",
}
