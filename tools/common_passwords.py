"""Writes `chime/security/common_passwords.txt`: the commonest passwords that are long enough for our rules.

The words below are what people choose everywhere (walks over the keyboard, names, teams, pets, pleas); the endings are
what they put behind them. The list holds every combination of eight characters and more, in lower case, since the
check ignores case. For developers only; the list is committed.

    python tools/common_passwords.py
"""

from __future__ import annotations

from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "chime" / "security" / "common_passwords.txt"
SHORTEST = 8

# Typed as they stand, whole.
WALKS = """
12345678 123456789 1234567890 0123456789 0987654321 9876543210 987654321 87654321 11111111 111111111 1111111111
00000000 0000000000 22222222 33333333 44444444 55555555 66666666 77777777 88888888 99999999 12341234 123123123
12312312 11223344 1122334455 112233445566 12121212 21212121 10101010 13131313 123321123 1234554321 123454321 147258369
147852369 159357258 159753456 741852963 789456123 789654123 963852741 0147258369 123654789 456789123 102030405060
1029384756 10203040 20202020 31415926 3141592654 314159265358979 123456789012345 1234567890123456 123456789123456789
111111111111111 000000000000000 12345678901234567890 112233445566778 123123123123123 qwertyui qwertyuio qwertyuiop
qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyqwerty qwertyasdfgh qwertyuiopasdfgh qwertyuiopasdfghjkl
qwertyuiopasdfghjklzxcvbnm qwertyuiop123456 qwertzuiop azertyuiop azerty123456 asdfghjk asdfghjkl asdfghjkl123
asdf1234 asdfasdf asdfghjklzxcvbnm asdfjkl; asdasdasd asd123asd zxcvbnm1 zxcvbnm123 zxcvbnm,./ zxcvzxcv
zxcvbnmasdfghjkl poiuytre poiuytrewq lkjhgfdsa mnbvcxz1 mnbvcxzlkjhgfdsa 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y
1q2w3e4r5t6y7u 1q2w3e4r5t6y7u8i 1q2w3e4r5t6y7u8i9o0p q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 1qaz2wsx 1qaz2wsx3edc
1qaz2wsx3edc4rfv 1qazxsw2 zaq12wsx zaq1xsw2 zaq1zaq1 !qaz2wsx 1qaz@wsx !qaz@wsx qazwsxed qazwsxedc qazwsxedcrfv
qazwsx123 qweasdzxc qweasdzxc123 qwe123qwe qweqweqwe qwer1234 qwer4321 1234qwer 123qweasd 123qweasdzxc 12qwaszx
a1b2c3d4 a1b2c3d4e5 a1s2d3f4 a1s2d3f4g5 aa123456 aaa11111 aaaaaaaa aaaaaaaaaaaaaaa abc12345 abc123456 abc123abc
abcabcabc abcd1234 abcd12345 1234abcd abcdefgh abcdefghi abcdefghij abcdefghijklmno abcdefghijklmnop
abcdefghijklmnopqrstuvwxyz zyxwvuts a12345678 a123456789 123456789a 123456789q q12345678 z12345678 123456abc 1234567a
12345678a xxxxxxxx zzzzzzzz p@ssw0rd p@ssword p@ssw0rd1 p@ssw0rd123 passw0rd passw0rd1 pa$$word pa$$w0rd pa55word
pa55w0rd p455w0rd trustno1 1trustno trustno123 ncc1701d ncc1701e thx11380 rush2112 jordan23 kobe2424 lebron23 ronaldo7
ronaldo07 messi1010 beckham7 blink182 sum41sum iloveyou iloveyou1 iloveyou2 iloveyou3 iloveyou12 iloveyou123 iloveyou!
iloveu123 iloveme1 ilovehim ilovehim1 iloveher ilovegod ilovegod1 ilovejesus ilovemom ilovemyself ilovemyfamily
iloveyoubaby iloveyousomuch iloveyouforever iloveyouiloveyou imissyou fuckyou1 fuckyou2 fuckyou123 fuckyoufuckyou
fuckoff1 fucker12 letmein1 letmein12 letmein123 letmeinnow letmeinplease letmeinletmein openthedoor opensesame
whatever1 whatever123 nothing1 nopassword mypassword mypassword1 mypassword123 mypasswordis passpass passpass1
password password1 password2 password3 password01 password11 password12 password123 password1234 password12345
password123456 password1234567 password12345678 password123456789 password1! password123! password@123 passwords
password2020 password2021 password2022 password2023 password2024 password2025 password2026 passwordpassword
passwordpassword1 password1password thisismypassword thisisapassword thisispassword thisisthepassword
mypasswordispassword whatsmypassword whatisthepassword whatisyourname dontforgetthis iforgotmypassword forgotpassword
changeme changeme1 changeme123 changeme123456 changeit123 changemenow changethis changepassword pleasechange
pleaseletmein temp1234 temp12345 temppass temppassword temporary temporary1 tempo123 default1 default123
defaultpassword welcome1 welcome12 welcome123 welcome1234 welcome12345 welcome@123 welcome2024 welcome2025 welcome2026
welcomehome welcomeback welcomewelcome administrator administrator1 administrator123 adminadmin adminadminadmin
admin123 admin1234 admin12345 admin123456 admin12345678 admin@123 admin@1234 adminpassword superadmin superadmin1
superuser superuser1 rootroot root1234 root12345 toortoor test1234 test12345 test123456 testtest testtest1 testtest123
testing1 testing123 testuser testpassword guest123 guest1234 guestguest user1234 user12345 username username1
usernamepassword login123 loginlogin signin123 secret12 secret123 secret1234 secretsecret topsecret topsecret1
supersecret supersecret1 master12 master123 masterkey mastermaster sunshine sunshine1 sunshine123 sunshinesunshine
princess princess1 princess123 princessprincess football football1 football123 footballfootball baseball baseball1
baseball123 basketball superman superman1 supermansuperman batman123 batmanbatman starwars starwars1 starwars123
maytheforcebewithyou pokemon1 pokemon123 minecraft minecraft1 minecraft123 fortnite1 fortnite123 company1 company123
companyname business1 business123 office123 office365 summer2020 summer2021 summer2022 summer2023 summer2024
summer2025 summer2026 winter2020 winter2021 winter2022 winter2023 winter2024 winter2025 winter2026 spring2022
spring2023 spring2024 spring2025 spring2026 autumn2022 autumn2023 autumn2024 autumn2025 autumn2026 january1 february
february1 september september1 october1 november november1 december december1 monday123 tuesday1 wednesday thursday1
friday13 saturday saturday1 sunday123 christmas christmas1 halloween halloween1 happybirthday happynewyear
happynewyear1 godisgood godisgreat godislove jesuschrist jesuschrist1 jesuslovesme jesusislord bismillah bismillah1
alhamdulillah allahuakbar insyaallah assalamualaikum jaishreeram omnamahshivaya saibaba123 waheguru1 hanuman123
ganesh123 krishna123 radhakrishna india123 india1234 indian123 delhi123 mumbai123 bharat123 sachin10 tendulkar
pakistan pakistan1 pakistan123 bangladesh bangladesh1 indonesia indonesia1 indonesia123 malaysia1 malaysia123
filipino1 sayangku sayang123 sayangkamu akusayangkamu cintaku123 bismillah123 rahasia123 bananas123 teamomucho
teamo123 teamoteamo tequiero tequiero1 tequieromucho amormio1 micorazon contrasena contrasena1 contraseña contraseña1
contraseña123 hola1234 hola12345 holahola holamundo mexico123 colombia colombia1 argentina argentina1 barcelona
barcelona1 realmadrid realmadrid1 realmadrid7 americadecali bocajuniors riverplate corinthians flamengo1 palmeiras
saopaulo1 brasil123 brasilbrasil senha123 senha1234 senha12345 minhasenha mudar123 motdepasse motdepasse1
motdepasse123 bonjour1 bonjour123 bonjourbonjour jetaime1 jetaimefort marseille marseille13 doudou123 passwort
passwort1 passwort123 hallo123 hallo1234 hallohallo ficken123 schatz123 schatzi1 ichliebedich deutschland
bayernmünchen dortmund1 borussia1 geheim123 sommer2024 sommer2025 frieden1 wachtwoord wachtwoord1 welkom01 welkom123
welkom1234 ajax1234 feyenoord1 juventus juventus1 forzajuve napoli123 andrea123 giuseppe francesco francesca
alessandro alessandra ciaociao ciao1234 amoremio tiamo123 tiamotiamo haslo123 polska123 kochamcie kocham123 misiek123
parola123 privet123 parol123 kirill123 natasha1 nikita123 vladimir1 galatasaray galatasaray1905 fenerbahce
fenerbahce1907 besiktas1903 istanbul34 mustafa123 nigeria1 nigeria123 blessed1 blessing1 blessing123 gracious1
godbless godsgift chelsea1 chelsea123 chelseafc liverpool liverpool1 liverpool123 liverpoolfc ynwa1234
youllneverwalkalone arsenal1 arsenal123 arsenalfc gunners1 manchester manchester1 manutd123 manunited manunited1
manchesterunited mancity1 everton1 tottenham rangers1 celtic1888 newcastle newcastle1
"""

# Taken with each ending.
WORDS = """
aaron abigail access adam adidas adrian airforce alejandro alex alexander alexandra alexis alice allison always amanda
amber america american amigos amor amore amsterdam anastasia andre andrea andrew android angel angela angelina angels
anita anna annie anthony antonio apple apples april aquarius archie arizona army arsenal arthur asdfgh ashley ashton
assassin asshole atlanta august aurora austin australia avatar awesome babe baby babyboy babydoll babygirl badboy
badger bailey baller banana bandit barbara barbie barcelona barney baseball basket bastard batman bear bears beautiful
beauty beaver beckham bella benjamin benny berlin best bestfriend betty bigboy bigdaddy bigdog billy birdie birthday
bitch biteme black blackberry blackcat blackie blessed blink blonde blood blossom blue blueberry blues bmw bobby
bonita bonnie booboo boomer boston brandon brandy brasil brazil breezy brian bridget britney broken brooke brooklyn
brother brownie bruno bubba bubble bubbles buddha buddy bulldog bullet bunny buster butter buttercup butterfly button
camaro cameron canada cancer candy captain carlos carmen carolina caroline carter casey casper castle cameron catdog
catherine cats champion chance change chanel charles charlie charlotte charmed cheese chelsea cherry chester chicago
chicken chiquita chloe chocolate chris christian christina christine christmas christopher cinderella cinnamon classic
claudia clover cocacola coconut coffee college colorado computer connor control cookie cookies cool coolguy cooper
corvette courtney cowboy cowboys crazy cream crystal cupcake cutie cutiepie daddy daddysgirl daisy dakota dallas dance
dancer daniel daniela danielle danny darkness darling dave david death december deedee delfin denise dennis denver
destiny detroit devil dexter diamond diana diego diesel digital dirtbike disney doctor dodgers dog doggie dolphin
dolphins dominic donald donkey donna dorothy dragon dragonball dragons dream dreamer dreams drummer duncan eagle
eagles eclipse eduardo edward einstein elephant elizabeth ellie elvis emily eminem emma enigma enter eric erika escape
esther eternity ethan eugene evelyn evil extreme faith faithful falcon family fantasy fashion father felipe felix
fender fernando ferrari fire fireball firefighter fireman fish fishing flower flowers fluffy flyers football ford
forest forever forget formula fountain frank frankie freak freddy freedom friday friend friends friendster froggy
frosty fuckyou fun funny gabriel gabriela galaxy gamer gangsta garden garfield gateway gatita gemini general genesis
genius george georgia gerald germany ghost giants gibson ginger girls giuseppe glitter gloria goddess godfather
godzilla gold golden golf golfer google goober gordon grace gracie grandma greatest green greenday gregory guitar
gunner hacker hailey hahaha hammer hannah happy happyday harley harry harrypotter hawaii heart hearts heather heaven
hector helena hello hellokitty hello helpme henry hercules hiphop hockey holiday holly hollywood homer honda honey
honeybee hope horse horses hotdog hotmail hottie house houston howard hummer hunter hunting hurricane iceman icecream
iloveu indian infinity inferno instagram internet ireland isabel isabella israel italia jack jackass jackie jackson
jacob jaguar jake james jamie janice january japan jason jasmine jasper javier jayden jeffrey jenifer jennifer jenny
jeremy jerome jerry jesse jessica jessie jesus jimmy joanna john johnny johnson jonathan jordan jorge joseph joshua
juan julia julian juliana julie junior jupiter justice justin justinbieber juventus karen karina karma kathleen
katherine katie kawasaki kayla keith kelly kelsey kenneth kenny kermit kevin killer kimberly king kingdom kingkong
kings kitten kitty knight knights kristen kristina ladybug lakers larry laura lauren lawrence leather legend lemon
leonard leonardo leslie letmein liberty lifesucks lighthouse lightning lillian lincoln linda lindsay lindsey
linkinpark lion little liverpool lizzie logan login london lollipop lollol loser louise love lovebug loveless lovelife
lovely loveme lover lovers loverboy loveya loveyou lucas lucky lucky7 luis luna mackenzie maddie madison maggie magic
magnum manager manchester mango marcus margaret maria mariah marie marina mario marine marines marissa mark marlboro
marley marshall martha martin marvin mary master matrix matthew matteo maverick maxwell melanie melissa mellow
mercedes mercury merlin metallica mexican mexico miami michael michel michelle mickey microsoft midnight miguel mike
miller million minnie miranda mistress mitchell molly mommy monday money monica monique monkey monkeys monster montana
moon morgan morris mother motorola mountain movies muffin murphy music mustang mylove myself myspace mystic nadine
nascar natalia natalie natasha nathan nathaniel naruto naughty negrita nelson nemesis newyork nicholas nicole
nightmare nikita nintendo nipples nirvana nissan nobody norman nothing notebook october oliver olivia online orange
orlando oscar oxford pacific packers paladin pamela panda pantera panther panthers paradise paris passion passport
password patches patricia patrick paul peace peaches peanut pearl pebbles penguin pepper pepsi perfect peter phantom
phoenix photos piano picture pickle piglet pimp pineapple pink pinky pirate pirates pizza player playboy please poison
police poohbear pookie popcorn popeye porsche portugal power precious president preston pretty prince princesa
princess private property psycho pumpkin punkrock puppies puppy purple pussy qazwsx qwerty rabbit rachel racing
raiders rainbow ranger rangers raven raymond rebecca rebel redneck redsox reggie renegade renee ricardo richard
rihanna robert roberto robin robinson rocket rockon rockstar rocky rodrigo roger ronald ronaldo roses rosie rover
royal ruby runner russell russia ryan sabrina saints sally salvador samantha sammy samsung samuel sanchez sandra
santiago santos sarah sasha saturn savannah scarface school scooby scooter scorpio scorpion scotland scott scruffy
sebastian secret security semper senior september serena sergio service sexy sexyboy sexygirl sexylady shadow shakira
shannon sharon shawn sheila shelby sherry shit shopping shorty sierra silver simon simple simpson simpsons single
sister skate skateboard skater skippy skittles slayer slipknot smile smiley smith smokey smooth snickers snoopy
snowball snowboard snowman soccer softball soldier sommer sonic sophia sophie spanky sparkle sparky special speedy
spencer spider spiderman spike spirit spongebob sports spring sprite squirt stacey stanley star starfish stargate
starlight stars starwars steelers stella stephanie stephen steve steven stewart sticky stinky storm strawberry student
stupid success sugar summer sunday sunflower sunny sunset sunshine super superboy supergirl superman superstar surfer
susan suzuki sweet sweetheart sweetie sweetness sweetpea swimming sydney system tamara taurus taylor teacher teddybear
teiubesc temple tennis teresa terminator testing texas theman theresa therock thomas thompson thuglife thunder tiffany
tigger tiger tigers timothy tinkerbell tintin titanic tomcat tony toyota travis trigger trinity triton trouble trucks
tucker turtle tweety twilight twinkle twitter tyler tyson undertaker unicorn united universe valentina valentine
valeria vampire vanessa vanilla vegeta veronica victor victoria victory viking vincent violet viper virgin virginia
vivian volleyball volvo walker walter warcraft warrior warriors watermelon welcome westside whatever whatsapp white
whitney wildcat wildcats william williams willow wilson windows winner winston winter wisdom wizard wolf wolverine
wolves woody wrestling xavier yamaha yankees yellow young yourmom youtube yvonne zachary zeppelin zombie aditya ahmed
akash amit anand anil arjun ashok deepak divya fatima ganesh gaurav hassan hussain ibrahim karan khan kiran krishna
kumar lakshmi mahesh manish mohammed mohamed mohammad muhammad neha nikhil pooja pradeep prakash prasad priya priyanka
rahul rajesh rajkumar rakesh ramesh ravi rohit sachin sandeep sanjay santosh saurabh shiva shyam sneha suresh sunil
vijay vikram vishal yusuf abdullah aisha ahmad ali123 omar zainab sultan salman imran bilal chidi emeka ngozi chinedu
oluwaseun blessing goodluck miracle promise testimony
"""

# The check takes other digits and marks off a password's ends by itself.
ENDINGS = ("", "1", "12", "123", "1234", "12345", "123456")


def main() -> None:
    """Write the list."""
    found = set(WALKS.split()) | {word + ending for word in set(WORDS.split()) for ending in ENDINGS}
    found |= {word + word for word in WORDS.split() if 4 <= len(word) <= 8}
    kept = sorted(text for text in found if len(text) >= SHORTEST)
    TARGET.write_text("\n".join(kept) + "\n", "utf-8")
    print(f"{len(kept)} passwords, {len([text for text in kept if len(text) >= 15])} of 15 and more")


if __name__ == "__main__":
    main()
